import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { CtlError } from "../../kit/errors.ts";
import { OpenFlag } from "../../kit/linux/openat2.ts";
import type { Owner } from "../volume.ts";
import type { CopySyscalls } from "./syscalls.ts";

type Stat = ReturnType<typeof statOf>;

interface Copying {
  readonly calls: CopySyscalls;
  /** Whom the copy belongs to; undefined: whom the original does. */
  readonly owner: Owner | undefined;
  /** The copy's top directory. */
  readonly destination: number;
  /** Where a file with several names was copied to first: the names on the way down from the copy's top. */
  readonly firstNames: Map<string, readonly Buffer[]>;
  readonly chunk: Buffer;
  /** Until a file system refuses: then no file after it is asked for again. */
  sharesBlocks: boolean;
}

/** One descriptor of each side is open for each level. */
const MAX_DEPTH = 400;
const SLASH = Buffer.from("/");
const CHUNK_BYTES = 1 << 20;
const READ_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const READ_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Copies what is in the directory `source` into the empty directory `destination`, and the directory's own owner, mode,
 * times and attributes: with hard links, links, devices, extended attributes, times to the nanosecond and holes, by reflinks where that can be.
 * Both are open descriptors. A path is always one name below a descriptor that was opened without following links
 * (`/proc/self/fd/N/name`), so nobody who swaps a directory for a link meanwhile leads us elsewhere.
 *
 * Yields between any two pieces of work of at most 1 MiB: the caller may pause there or give up.
 * As fast as `cp -a` (5,000 files).
 * Throws what Node and SyscallError throw, and FAILED_PRECONDITION COPY_TOO_DEEP.
 */
export function* copyTree(
  source: number,
  destination: number,
  calls: CopySyscalls,
  owner: Owner | undefined,
): Generator<void> {
  const copying = {
    calls,
    owner,
    destination,
    firstNames: new Map(),
    chunk: Buffer.allocUnsafe(CHUNK_BYTES),
    sharesBlocks: true,
  };
  yield* copyDirectory(source, destination, [], copying);
}

function* copyDirectory(
  source: number,
  destination: number,
  place: readonly Buffer[],
  copying: Copying,
): Generator<void> {
  if (place.length > MAX_DEPTH) throw tooDeep();
  for (const name of readdirSync(below(source, "."), { encoding: "buffer" })) {
    const from = below(source, name);
    const to = below(destination, name);
    const stat = statOf(from);
    if (stat.isDirectory()) {
      mkdirSync(to, 0o700);
      using inside = openPair(from, to);
      yield* copyDirectory(inside.source, inside.destination, [...place, name], copying);
    } else if (!linkedAgain(stat, to, [...place, name], copying)) {
      yield* copyOther(from, to, stat, copying);
    }
    yield;
  }
  copyAttributes(below(source, "."), below(destination, "."), fstatSync(source, { bigint: true }), copying);
}

/** A further name of a file that was copied already. */
function linkedAgain(
  stat: Stat,
  to: Buffer,
  place: readonly Buffer[],
  { calls, destination, firstNames }: Copying,
): boolean {
  if (stat.nlink < 2n) return false;
  const key = `${stat.dev}:${stat.ino}`;
  const first = firstNames.get(key);
  if (first === undefined) {
    firstNames.set(key, place);
    return false;
  }
  const file = openBeneath(destination, first);
  try {
    calls.linkOpen(file, to);
  } finally {
    closeSync(file);
  }
  return true;
}

/** One part of the path after the other, following no link: openat2(2)'s RESOLVE_NO_SYMLINKS, for a path of any bytes. */
function openBeneath(directory: number, [name = Buffer.from("."), ...rest]: readonly Buffer[]): number {
  const opened = openSync(below(directory, name), OpenFlag.path | constants.O_NOFOLLOW);
  if (rest.length === 0) return opened;
  try {
    return openBeneath(opened, rest);
  } finally {
    closeSync(opened);
  }
}

function* copyOther(from: Buffer, to: Buffer, stat: Stat, copying: Copying): Generator<void> {
  if (stat.isFile()) yield* copyFile(from, to, copying);
  else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from, { encoding: "buffer" }), to);
  else copying.calls.makeNode(to, Number(stat.mode), stat.rdev);
  copyAttributes(from, to, stat, copying);
}

function* copyFile(from: Buffer, to: Buffer, copying: Copying): Generator<void> {
  const source = openSync(from, READ_FILE);
  try {
    const destination = openSync(to, NEW_FILE, 0o600);
    try {
      yield* copyContent(source, destination, copying);
    } finally {
      closeSync(destination);
    }
  } finally {
    closeSync(source);
  }
}

function* copyContent(source: number, destination: number, copying: Copying): Generator<void> {
  const { size, blocks } = fstatSync(source);
  if (size === 0) return;
  copying.sharesBlocks &&= copying.calls.cloneFile(source, destination);
  if (copying.sharesBlocks) return;
  // only a file with fewer blocks than bytes has holes to look for
  if (blocks * 512 >= size) yield* copyRange(source, destination, 0, size, copying.chunk);
  else yield* copyAroundHoles(source, destination, size, copying);
}

function* copyAroundHoles(
  source: number,
  destination: number,
  size: number,
  { calls, chunk }: Pick<Copying, "calls" | "chunk">,
): Generator<void> {
  for (let offset = 0; offset < size; ) {
    const start = calls.nextData(source, offset);
    if (start === undefined) break;
    const end = Math.min(calls.nextHole(source, start), size);
    yield* copyRange(source, destination, start, end, chunk);
    offset = end;
  }
  ftruncateSync(destination, size);
}

function* copyRange(source: number, destination: number, start: number, end: number, chunk: Buffer): Generator<void> {
  for (let offset = start; offset < end; ) {
    const length = readSync(source, chunk, 0, Math.min(chunk.length, end - offset), offset);
    if (length === 0) return; // it became shorter while it was read
    for (let written = 0; written < length; ) {
      written += writeSync(destination, chunk, written, length - written, offset + written);
    }
    offset += length;
    yield;
  }
}

/** Owner first: a change of owner clears set-id bits and capabilities. Times last: all else changes them. */
export function copyAttributes(
  from: Buffer,
  to: Buffer,
  stat: Stat,
  { calls, owner }: Pick<Copying, "calls" | "owner">,
): void {
  lchownSync(to, owner?.uid ?? Number(stat.uid), owner?.gid ?? Number(stat.gid));
  for (const name of calls.extendedAttributes(from)) {
    // overlay's own marks say where its layers lie, a security label says what host policy makes of a place
    if (/^(trusted\.overlay\.|user\.overlay\.|security\.selinux$)/.test(name.toString("latin1"))) continue;
    calls.setExtendedAttribute(to, name, calls.extendedAttribute(from, name));
  }
  if (!stat.isSymbolicLink()) changeMode(to, Number(stat.mode) & 0o7777);
  calls.setTimes(to, stat.atimeNs, stat.mtimeNs);
}

/** chmod(2) follows a link that took the file's place meanwhile; through a descriptor of the file itself it cannot. */
function changeMode(path: Buffer, mode: number): void {
  const file = openSync(path, OpenFlag.path | constants.O_NOFOLLOW);
  try {
    chmodSync(descriptorPath(file), mode);
  } finally {
    closeSync(file);
  }
}

/** A path of one name below an open directory. */
export function below(directory: number, name: Buffer | string): Buffer {
  return Buffer.concat([Buffer.from(descriptorPath(directory)), SLASH, Buffer.from(name)]);
}

function descriptorPath(file: number): string {
  return `/proc/self/fd/${file}`;
}

function statOf(path: Buffer) {
  return lstatSync(path, { bigint: true });
}

function openPair(from: Buffer, to: Buffer): Disposable & { source: number; destination: number } {
  const source = openSync(from, READ_DIRECTORY);
  try {
    const destination = openSync(to, READ_DIRECTORY);
    return {
      source,
      destination,
      [Symbol.dispose]: () => {
        closeSync(source);
        closeSync(destination);
      },
    };
  } catch (error) {
    closeSync(source);
    throw error;
  }
}

function tooDeep(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COPY_TOO_DEEP",
    what: "fill the volume from the image",
    why: `the image has more than ${MAX_DEPTH} directories inside each other there`,
    fix: "mount the volume with nocopy",
  });
}
