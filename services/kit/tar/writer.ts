import type { BytePath, TarEntry, TarEntryKind } from "./entry.ts";
import { BLOCK_SIZE } from "./header.ts";
import type { PaxRecord } from "./pax.ts";
import type { SparseSegment } from "./sparse.ts";

/** The two zero blocks that close an archive (POSIX pax, "ustar Interchange Format"). */
export const ARCHIVE_END: Uint8Array = new Uint8Array(2 * BLOCK_SIZE);

const TYPES = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  "character-device": "3",
  "block-device": "4",
  directory: "5",
  fifo: "6",
} as const satisfies Record<TarEntryKind, string>;

/** What fits into octal digits; larger numbers go into pax records. */
const MAX_ID = 0o7777777;
const MAX_SIZE = 0o77777777777;
const MAX_TEXT_BYTES = 100;

/**
 * All that stands before an entry's data: a pax extended header where ustar has no room (long names, large numbers,
 * extended attributes, parts of seconds, holes), and the header. Of a file `size` bytes of data follow, or with `segments`
 * these alone, and then `paddingAfter` of what was written. Names are bytes, as `TarEntry` has them.
 */
export function tarHead(entry: TarEntry, segments?: readonly SparseSegment[]): Buffer {
  const map = segments === undefined ? undefined : sparseMap(segments);
  const dataSize = map === undefined ? entry.size : map.length + lengthOf(segments ?? []);
  const path = entry.kind === "directory" && !entry.path.endsWith("/") ? `${entry.path}/` : entry.path;
  const records = [...paxRecords({ ...entry, path, size: dataSize }), ...sparseRecords(entry, map !== undefined)];
  const header = headerBlock(entry, { path, type: TYPES[entry.kind], size: dataSize });
  return Buffer.concat([...(records.length === 0 ? [] : [paxMember(records)]), header, map ?? Buffer.alloc(0)]);
}

/** The zeros up to the next block after so many bytes of data. */
export function paddingAfter(bytes: number): Uint8Array {
  return ARCHIVE_END.subarray(0, (BLOCK_SIZE - (bytes % BLOCK_SIZE)) % BLOCK_SIZE);
}

function paxRecords({
  path,
  linkTarget,
  uid,
  gid,
  size,
  mtimeSeconds,
  mtimeNanoseconds,
  xattrs,
}: TarEntry): PaxRecord[] {
  const records: PaxRecord[] = [];
  if (path.length > MAX_TEXT_BYTES) records.push(["path", path]);
  if (linkTarget.length > MAX_TEXT_BYTES) records.push(["linkpath", linkTarget]);
  if (uid > MAX_ID) records.push(["uid", String(uid)]);
  if (gid > MAX_ID) records.push(["gid", String(gid)]);
  if (size > MAX_SIZE) records.push(["size", String(size)]);
  if (mtimeNanoseconds > 0 || mtimeSeconds < 0 || mtimeSeconds > MAX_SIZE) {
    records.push(["mtime", decimalTime(mtimeSeconds, mtimeNanoseconds)]);
  }
  for (const [name, value] of xattrs) records.push([`SCHILY.xattr.${name}`, Buffer.from(value).toString("latin1")]);
  return records;
}

/** Nanoseconds count forward, the decimals of a time before 1970 backward. */
function decimalTime(seconds: number, nanoseconds: number): string {
  const isBefore = seconds < 0 && nanoseconds > 0;
  const [whole, part] = isBefore ? [-(seconds + 1), 1e9 - nanoseconds] : [Math.abs(seconds), nanoseconds];
  const decimals = part === 0 ? "" : `.${String(part).padStart(9, "0")}`;
  return `${seconds < 0 ? "-" : ""}${whole}${decimals}`;
}

/** GNU's format 1.0: a reader that does not know it takes the map for the file's beginning. */
function sparseRecords({ path, size }: TarEntry, isSparse: boolean): PaxRecord[] {
  if (!isSparse) return [];
  return [
    ["GNU.sparse.major", "1"],
    ["GNU.sparse.minor", "0"],
    ["GNU.sparse.name", path],
    ["GNU.sparse.realsize", String(size)],
  ];
}

function sparseMap(segments: readonly SparseSegment[]): Buffer {
  const numbers = segments.flatMap(({ offset, length }) => [offset, length]);
  const text = Buffer.from(`${[segments.length, ...numbers].join("\n")}\n`, "latin1");
  return Buffer.concat([text, paddingAfter(text.length)]);
}

function lengthOf(segments: readonly SparseSegment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

interface HeaderParts {
  readonly path: BytePath;
  readonly type: string;
  readonly size: number;
}

/** The pax header's own entry has a name only for readers that do not know pax. */
function paxMember(records: readonly PaxRecord[]): Buffer {
  const data = Buffer.concat(records.map(paxRecord));
  const header = headerBlock(PAX_ENTRY, { path: "PaxHeaders.0", type: "x", size: data.length });
  return Buffer.concat([header, data, paddingAfter(data.length)]);
}

const PAX_ENTRY: TarEntry = {
  kind: "file",
  path: "",
  linkTarget: "",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: new Map(),
};

/** The length counts its own digits. */
function paxRecord([key, value]: PaxRecord): Buffer {
  const body = ` ${key}=${value}\n`;
  let length = body.length;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return Buffer.from(`${length}${body}`, "latin1");
}

/** A ustar header; what does not fit is cut or 0 here and stands in the pax header before it. */
function headerBlock(entry: TarEntry, { path, type, size }: HeaderParts): Buffer {
  const block = Buffer.alloc(BLOCK_SIZE);
  block.write(path.slice(0, MAX_TEXT_BYTES), 0, "latin1");
  octal(block, 100, 8, entry.mode);
  octal(block, 108, 8, entry.uid > MAX_ID ? 0 : entry.uid);
  octal(block, 116, 8, entry.gid > MAX_ID ? 0 : entry.gid);
  octal(block, 124, 12, size > MAX_SIZE ? 0 : size);
  octal(block, 136, 12, Math.min(Math.max(entry.mtimeSeconds, 0), MAX_SIZE));
  block.write(type, 156, "latin1");
  block.write(entry.linkTarget.slice(0, MAX_TEXT_BYTES), 157, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  octal(block, 329, 8, entry.deviceMajor);
  octal(block, 337, 8, entry.deviceMinor);
  block.fill(" ", CHECKSUM_AT, CHECKSUM_AT + 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM_AT, "latin1");
  return block;
}

const CHECKSUM_AT = 148;

function octal(block: Buffer, at: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), at, "latin1");
}
