import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { BytePath, TarEntry, TarEntryKind } from "../../services/kit/tar/entry.ts";
import type { SparseSegment } from "../../services/kit/tar/sparse.ts";
import { ARCHIVE_END, paddingAfter, tarHead } from "../../services/kit/tar/writer.ts";

const CHUNK_BYTES = 256 << 10;
const HOLE_BYTES = 64 << 10;
const WORTHWHILE_HOLES_BYTES = 1 << 20;

/** A file, or a directory with all that is in it, as a tar whose names begin with `name`. Sockets are left out. */
export async function* localArchive(path: string, name: string): AsyncGenerator<Uint8Array> {
  yield* entriesOf(path, bytesOf(name), new Map());
  yield ARCHIVE_END;
}

/** File names are bytes, not text. */
function bytesOf(text: string): BytePath {
  return Buffer.from(text, "utf8").toString("latin1");
}

async function* entriesOf(path: string, name: BytePath, linked: Map<string, BytePath>): AsyncGenerator<Uint8Array> {
  const stat = await lstat(path, { bigint: true });
  const kind = kindOf(stat);
  if (kind === undefined) return;
  const entry = { ...described(kind, stat), path: name };
  if (kind === "directory") {
    yield tarHead(entry);
    for (const child of (await readdir(path)).sort()) {
      yield* entriesOf(join(path, child), `${name}/${bytesOf(child)}`, linked);
    }
    return;
  }
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? linked.get(inode) : undefined;
  if (first !== undefined) yield tarHead({ ...entry, kind: "hardlink", linkTarget: first });
  else if (kind === "symlink") yield tarHead({ ...entry, linkTarget: bytesOf(await readlink(path)) });
  else if (kind === "file") yield* fileOf(path, entry);
  else yield tarHead(entry);
  if (stat.nlink > 1n && first === undefined) linked.set(inode, name);
}

async function* fileOf(path: string, described: TarEntry): AsyncGenerator<Uint8Array> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { size, blocks } = await file.stat();
  const hasHoles = blocks * 512 + WORTHWHILE_HOLES_BYTES < size;
  const segments = hasHoles ? await segmentsOf(file, size) : undefined;
  yield tarHead({ ...described, size }, segments);
  let written = 0;
  for (const { offset, length } of segments ?? [{ offset: 0, length: size }]) {
    yield* contentOf(file, offset, length);
    written += length;
  }
  yield paddingAfter(written);
}

/** Exactly so many bytes: a file that shrinks meanwhile goes on with zeros, as the header said how long it is. */
async function* contentOf(file: FileHandle, offset: number, length: number): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < length; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, length - done));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, offset + done);
    const bytes = bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead);
    yield bytes;
    done += bytes.length;
  }
}

/** Node has no SEEK_HOLE: what reads as zeros is taken for a hole. */
async function segmentsOf(file: FileHandle, size: number): Promise<SparseSegment[]> {
  const segments: { offset: number; length: number }[] = [];
  const block = Buffer.alloc(HOLE_BYTES);
  const zeros = Buffer.alloc(HOLE_BYTES);
  for (let offset = 0; offset < size; offset += HOLE_BYTES) {
    const length = Math.min(HOLE_BYTES, size - offset);
    const { bytesRead } = await file.read(block, 0, length, offset);
    if (block.compare(zeros, 0, bytesRead, 0, bytesRead) === 0) continue;
    const last = segments.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else segments.push({ offset, length });
  }
  const last = segments.at(-1);
  if (last === undefined || last.offset + last.length < size) segments.push({ offset: size, length: 0 });
  return segments;
}

function described(kind: TarEntryKind, stat: BigIntStats): Omit<TarEntry, "path"> {
  const isDevice = kind === "character-device" || kind === "block-device";
  return {
    kind,
    linkTarget: "",
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: 0,
    mtimeSeconds: Number(stat.mtimeNs / 1_000_000_000n) - (stat.mtimeNs < 0n ? 1 : 0),
    mtimeNanoseconds: 0,
    deviceMajor: isDevice ? Number((stat.rdev >> 8n) & 0xfffn) : 0,
    deviceMinor: isDevice ? Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n)) : 0,
    xattrs: new Map(),
  };
}

function kindOf(stat: BigIntStats): TarEntryKind | undefined {
  if (stat.isFile()) return "file";
  if (stat.isDirectory()) return "directory";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character-device";
  if (stat.isBlockDevice()) return "block-device";
  return stat.isFIFO() ? "fifo" : undefined;
}
