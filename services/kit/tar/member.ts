import { corrupt } from "./corrupt.ts";
import type { BytePath, TarEntry, TarEntryKind } from "./entry.ts";
import type { TarHeader } from "./header.ts";
import { type PaxRecord, paxOverrides } from "./pax.ts";
import { type PaxSparse, paxSparse } from "./sparse.ts";

/** What stood before a member's header and belongs to it. */
export interface MemberExtras {
  readonly paxRecords: readonly PaxRecord[];
  readonly longPath: BytePath | undefined;
  readonly longLink: BytePath | undefined;
}

export interface Member {
  readonly entry: TarEntry;
  /** Bytes of it in the archive, without padding. */
  readonly packedSize: number;
  readonly sparse: PaxSparse | undefined;
}

const KINDS: Readonly<Record<string, TarEntryKind>> = {
  "0": "file",
  "\0": "file",
  "7": "file", // contiguous: a hint for disks of the past
  S: "file", // GNU sparse
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  D: "directory", // GNU dump: its data lists names
  "6": "fifo",
};

/** A header with its extras as one entry. Throws INVALID_ARGUMENT LAYER_CORRUPT for types that no layer has. */
export function toMember(header: TarHeader, extras: MemberExtras): Member {
  const overrides = paxOverrides(extras.paxRecords);
  const sparse = paxSparse(extras.paxRecords);
  const path = sparse?.name ?? overrides.path ?? extras.longPath ?? header.path;
  const kind = kindOf(header.type, path);
  const size = overrides.size ?? header.size;
  const uid = overrides.uid ?? header.uid;
  const gid = overrides.gid ?? header.gid;
  if (size < 0 || uid < 0 || gid < 0) throw corrupt("an entry's size or owner is negative");
  const isLink = kind === "symlink" || kind === "hardlink";
  const entry: TarEntry = {
    kind,
    path,
    linkTarget: isLink ? (overrides.linkTarget ?? extras.longLink ?? header.linkTarget) : "",
    mode: header.mode,
    uid,
    gid,
    size: kind === "file" ? (sparse?.realSize ?? size) : 0,
    mtimeSeconds: overrides.mtime?.seconds ?? header.mtime,
    mtimeNanoseconds: overrides.mtime?.nanoseconds ?? 0,
    deviceMajor: header.deviceMajor,
    deviceMinor: header.deviceMinor,
    xattrs: overrides.xattrs,
  };
  return { entry, packedSize: hasData(kind) ? size : 0, sparse: kind === "file" ? sparse : undefined };
}

/** V7 had no directories: a file whose name ends in a slash is one. */
function kindOf(type: string, path: BytePath): TarEntryKind {
  const kind = KINDS[type];
  if (kind === undefined) throw corrupt(`it has an entry of the unknown type ${JSON.stringify(type)}`);
  return kind === "file" && path.endsWith("/") ? "directory" : kind;
}

/** Some writers give links the size of their target, without data (tar(5)); directories may have data to skip. */
function hasData(kind: TarEntryKind): boolean {
  return kind === "file" || kind === "directory";
}
