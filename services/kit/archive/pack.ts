import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  statfsSync,
} from "node:fs";
import { descriptorPath, type FileCalls } from "../linux/file-calls.ts";
import { containerId, type UserMapping } from "../linux/user-mapping.ts";
import type { BytePath, TarEntry, TarEntryKind } from "../tar/entry.ts";
import type { SparseSegment } from "../tar/sparse.ts";
import { ARCHIVE_END, paddingAfter, tarHead } from "../tar/writer.ts";
import { pathFailure, type Refusals } from "./refusals.ts";
import { type Found, holderOf, type OpenTree, openChild } from "./tree.ts";

/** Each level holds a descriptor. */
const MAX_DEPTH = 2000;
const CHUNK_BYTES = 256 << 10;
/** Holes are left out where that saves so much: readers that do not know GNU's sparse format are spared it elsewhere. */
const WORTHWHILE_HOLES_BYTES = 1 << 20;
const MAX_SEGMENTS = 10_000;

/** statfs(2) types of what the kernel shows as files and nobody wants in an archive: proc, sysfs, cgroups, devpts, … */
const KERNEL_FILE_SYSTEMS = new Set([
  0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x1cd1, 0x19800202, 0x64626720, 0x74726163, 0x73636673, 0xcafe4a11,
  0x6165676c, 0xf97cff8c,
]);

interface Level {
  readonly fd: number;
  readonly dev: bigint;
  readonly path: BytePath;
  readonly names: BytePath[];
}

export interface PackOptions {
  readonly times: "seconds" | "nanoseconds";
  /** What is mounted in the tree comes too, but for the kernel's own file systems, or stays an empty directory. */
  readonly mounts: "crossed" | "left-out";
  keepsXattr(name: BytePath): boolean;
  /** Archives have the ids inside of it. */
  readonly userMapping: UserMapping | undefined;
}

/**
 * What was found, and all below it, as a tar whose names begin with `name`; sockets are left out. Each step goes from an open directory to a name in it, so a tree
 * that changes under our hands leads nowhere else.
 */
export class Packer implements Disposable {
  readonly #tree: OpenTree;
  readonly #calls: FileCalls;
  readonly #options: PackOptions;
  readonly #levels: Level[] = [];
  /** Where a file with several names was written first. */
  readonly #linked = new Map<string, BytePath>();

  constructor(tree: OpenTree, options: PackOptions, calls: FileCalls) {
    this.#tree = tree;
    this.#options = options;
    this.#calls = calls;
  }

  *archive(found: Found, name: BytePath): Generator<Uint8Array> {
    if (found.path === "") {
      yield* this.#directory(this.#calls.openPath(found.fd, "."), found.stat, name, descriptorPath(found.fd, "."));
    } else {
      const holder = holderOf(this.#tree, found, this.#calls);
      try {
        yield* this.#entry(holder.fd, holder.name, name);
      } finally {
        this.#calls.close(holder.fd);
      }
    }
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const next = level.names.pop();
      if (next === undefined) this.#calls.close(this.#levels.pop()?.fd ?? -1);
      else yield* this.#entry(level.fd, next, joined(level.path, next));
    }
    yield ARCHIVE_END;
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#levels.splice(0)) this.#calls.close(fd);
  }

  *#entry(directoryFd: number, name: BytePath, path: BytePath): Generator<Uint8Array> {
    const fd = openChild(this.#tree, directoryFd, name, this.#calls);
    if (fd === undefined) return; // gone since the directory was read
    const stat = fstatSync(fd, { bigint: true });
    const place = descriptorPath(directoryFd, name);
    if (stat.isDirectory()) {
      yield* this.#directory(fd, stat, path, place);
      return;
    }
    try {
      yield* this.#leaf(fd, stat, path, place);
    } finally {
      this.#calls.close(fd);
    }
  }

  /** Takes the descriptor over. */
  *#directory(fd: number, stat: BigIntStats, path: BytePath, place: BytePath): Generator<Uint8Array> {
    const above = this.#levels.at(-1);
    this.#levels.push({ fd, dev: stat.dev, path, names: [] });
    if (this.#levels.length > MAX_DEPTH)
      throw this.#tree.refusals.refused(path, `it nests directories deeper than ${MAX_DEPTH}`);
    yield tarHead({ ...this.#described("directory", stat, place), path });
    if (above !== undefined && above.dev !== stat.dev && this.#isLeftOut(fd)) return;
    // backwards: names are taken from the end
    this.#levels.at(-1)?.names.push(...namesIn(fd, this.#tree.refusals).sort().reverse());
  }

  *#leaf(fd: number, stat: BigIntStats, path: BytePath, place: BytePath): Generator<Uint8Array> {
    const kind = kindOf(stat);
    if (kind === undefined) return;
    const entry = { ...this.#described(kind, stat, place), path };
    const inode = `${stat.dev}:${stat.ino}`;
    const first = stat.nlink > 1n ? this.#linked.get(inode) : undefined;
    if (first !== undefined) {
      yield tarHead({ ...entry, kind: "hardlink", linkTarget: first, size: 0 });
      return;
    }
    if (stat.nlink > 1n) this.#linked.set(inode, path);
    if (kind === "file") yield* this.#file(fd, entry);
    else if (kind === "symlink") yield tarHead({ ...entry, linkTarget: this.#calls.readLink(fd, "") ?? "" });
    else yield tarHead(entry);
  }

  *#file(fd: number, described: TarEntry): Generator<Uint8Array> {
    const file = openSync(descriptorPath(fd), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const { size, blocks } = fstatSync(file);
      const entry = { ...described, size };
      const hasHoles = blocks * 512 + WORTHWHILE_HOLES_BYTES < size;
      const segments = hasHoles ? this.#segments(file, size) : undefined;
      yield tarHead(entry, segments);
      let written = 0;
      for (const { offset, length } of segments ?? [{ offset: 0, length: size }]) {
        yield* contentOf(file, offset, length);
        written += length;
      }
      yield paddingAfter(written);
    } finally {
      closeSync(file);
    }
  }

  /** Undefined: holes are not worth it. GNU tar wants a segment of no length at the end of a file that ends in a hole. */
  #segments(file: number, size: number): SparseSegment[] | undefined {
    const segments: SparseSegment[] = [];
    for (let at = 0; at < size; ) {
      const start = this.#calls.seek(file, at, "data");
      if (start === undefined || start >= size) break;
      const end = Math.min(this.#calls.seek(file, start, "hole") ?? size, size);
      segments.push({ offset: start, length: end - start });
      if (segments.length > MAX_SEGMENTS) return undefined;
      at = end;
    }
    const last = segments.at(-1);
    if (last === undefined || last.offset + last.length < size) segments.push({ offset: size, length: 0 });
    return segments;
  }

  #described(kind: TarEntryKind, stat: BigIntStats, place: BytePath): Omit<TarEntry, "path"> {
    const { major, minor } = kind.endsWith("device") ? deviceOf(stat.rdev) : { major: 0, minor: 0 };
    return {
      kind,
      linkTarget: "",
      mode: Number(stat.mode) & 0o7777,
      ...ownerInside(stat, this.#options.userMapping),
      size: 0,
      ...this.#timeOf(stat),
      deviceMajor: major,
      deviceMinor: minor,
      xattrs: new Map([...this.#calls.listXattrs(place)].filter(([name]) => this.#options.keepsXattr(name))),
    };
  }

  /** Whole seconds as Docker writes them, unless all is wanted: parts of one double the size of every small entry. */
  #timeOf({ mtimeNs }: BigIntStats): Pick<TarEntry, "mtimeSeconds" | "mtimeNanoseconds"> {
    const nanoseconds = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    const mtimeNanoseconds = this.#options.times === "nanoseconds" ? Number(nanoseconds) : 0;
    return { mtimeSeconds: Number((mtimeNs - nanoseconds) / 1_000_000_000n), mtimeNanoseconds };
  }

  #isLeftOut(mountFd: number): boolean {
    return this.#options.mounts === "left-out" || isOfKernel(mountFd);
  }
}

/** Exactly so many bytes: a file that shrinks meanwhile goes on with zeros, as the header said how long it is. */
function* contentOf(file: number, offset: number, length: number): Generator<Uint8Array> {
  for (let done = 0; done < length; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, length - done));
    const read = readSync(file, chunk, 0, chunk.length, offset + done);
    const bytes = read === 0 ? chunk : chunk.subarray(0, read);
    yield bytes;
    done += bytes.length;
  }
}

function namesIn(fd: number, refusals: Refusals): BytePath[] {
  try {
    return readdirSync(descriptorPath(fd), { encoding: "latin1" });
  } catch (error) {
    throw pathFailure(error, "", refusals);
  }
}

function isOfKernel(fd: number): boolean {
  return KERNEL_FILE_SYSTEMS.has(statfsSync(descriptorPath(fd)).type);
}

/** Undefined: a socket, which no archive can hold. */
function kindOf(stat: BigIntStats): TarEntryKind | undefined {
  if (stat.isFile()) return "file";
  if (stat.isSymbolicLink()) return "symlink";
  if (stat.isCharacterDevice()) return "character-device";
  if (stat.isBlockDevice()) return "block-device";
  return stat.isFIFO() ? "fifo" : undefined;
}

/** dev_t as makedev(3) packs it. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  return { major: Number((rdev >> 8n) & 0xfffn), minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n)) };
}

function joined(path: BytePath, name: BytePath): BytePath {
  return path.endsWith("/") ? `${path}${name}` : `${path}/${name}`;
}

function ownerInside(stat: BigIntStats, mapping: UserMapping | undefined) {
  const [uid, gid] = [Number(stat.uid), Number(stat.gid)];
  return mapping === undefined
    ? { uid, gid }
    : { uid: containerId(mapping.uids, uid), gid: containerId(mapping.gids, gid) };
}
