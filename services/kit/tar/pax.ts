import { corrupt } from "./corrupt.ts";
import type { BytePath } from "./entry.ts";

/** One record of a pax extended header (POSIX pax, "Extended Header"): bytes as latin1. */
export type PaxRecord = readonly [key: string, value: BytePath];

/** What pax records override, already read; undefined where no record speaks. */
export interface PaxOverrides {
  readonly path: BytePath | undefined;
  readonly linkTarget: BytePath | undefined;
  readonly size: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly mtime: { readonly seconds: number; readonly nanoseconds: number } | undefined;
  readonly xattrs: ReadonlyMap<BytePath, Uint8Array>;
}

const XATTR = "SCHILY.xattr.";
const MAX_XATTRS = 1000;

/** All records in their order ("LENGTH KEY=VALUE\n"); repeated keys stay, sparse 0.0 needs them. */
export function parsePaxRecords(bytes: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? "" : bytes.toString("latin1", at, space);
    const end = at + Number(digits);
    if (!/^\d{1,10}$/.test(digits) || end <= space + 1 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      if (bytes.subarray(at).every((byte) => byte === 0)) return records; // some writers pad with NULs
      throw corrupt("a pax record's length is wrong");
    }
    const equals = bytes.indexOf(0x3d, space);
    if (equals === -1 || equals >= end || equals === space + 1) throw corrupt("a pax record has no key");
    records.push([bytes.toString("latin1", space + 1, equals), bytes.toString("latin1", equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** Global records first, then the entry's own; an empty value takes back what an earlier record said. */
export function paxOverrides(records: readonly PaxRecord[]): PaxOverrides {
  const last = new Map<string, string>();
  const xattrs = new Map<BytePath, Uint8Array>();
  for (const [key, value] of records) {
    if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), Buffer.from(value, "latin1"));
    else if (value === "") last.delete(key);
    else last.set(key, value);
  }
  if (xattrs.size > MAX_XATTRS) throw corrupt(`an entry has more than ${MAX_XATTRS} extended attributes`);
  return {
    path: checkedPath(last.get("path")),
    linkTarget: checkedPath(last.get("linkpath")),
    size: decimal(last.get("size"), "size"),
    uid: decimal(last.get("uid"), "uid"),
    gid: decimal(last.get("gid"), "gid"),
    mtime: time(last.get("mtime")),
    xattrs,
  };
}

export function decimal(value: string | undefined, key: string): number | undefined {
  if (value === undefined) return undefined;
  const parsed = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(parsed)) throw corrupt(`the pax record ${key} is not a number in range`);
  return parsed;
}

/** Seconds with any number of decimals, before 1970 negative; nanoseconds always count forward as timespec wants. */
function time(value: string | undefined): PaxOverrides["mtime"] {
  if (value === undefined) return undefined;
  const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(value);
  if (match === null) throw corrupt("the pax record mtime is not a time");
  const [, sign, whole = "0", fraction = ""] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return { seconds: Number(whole), nanoseconds };
  return nanoseconds === 0
    ? { seconds: -Number(whole), nanoseconds: 0 }
    : { seconds: -Number(whole) - 1, nanoseconds: 1e9 - nanoseconds };
}

function checkedPath(path: BytePath | undefined): BytePath | undefined {
  if (path?.includes("\0")) throw corrupt("a path has a NUL byte");
  return path;
}
