import type { LibraryHandle } from "koffi";
import { isErrno, lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";

/**
 * What a faithful copy needs and Node lacks. Paths are bytes: a file name is any bytes but `/` and NUL. None of them
 * follows a link in the last part of a path. They throw SyscallError.
 */
export interface CopySyscalls {
  /** Another name for an open file. */
  linkOpen(file: number, path: Buffer): void;
  makeNode(path: Buffer, mode: number, device: bigint): void;
  /** Nanoseconds since the epoch. */
  setTimes(path: Buffer, accessed: bigint, modified: bigint): void;
  /** Start of the next data at or behind the offset; undefined when only a hole is left. */
  nextData(file: number, offset: number): number | undefined;
  /** Start of the next hole at or behind the offset; a file's end counts as one. */
  nextHole(file: number, offset: number): number;
  /** Names; none where the file system has no extended attributes. */
  extendedAttributes(path: Buffer): readonly Buffer[];
  extendedAttribute(path: Buffer, name: Buffer): Buffer;
  /** False where the file system refuses attributes of this kind. */
  setExtendedAttribute(path: Buffer, name: Buffer, value: Buffer): boolean;
  /** False when there is something at the new name already: that stays. */
  renameUnlessTaken(from: Buffer, to: Buffer): boolean;
  /** The whole of an open file as another one's, sharing its blocks; false where the file systems cannot. */
  cloneFile(source: number, destination: number): boolean;
  /** Waits, in libuv's pool, until all that the file's file system holds is on the disk. */
  syncFilesystem(file: number): Promise<void>;
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_SYMLINK_FOLLOW = 0x400;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const FICLONE = 0x4004_9409;
const RENAME_NOREPLACE = 1;
const ATTRIBUTE_MAX_BYTES = 64 << 10; // a value's and a list's limit, xattr(7)

/** The functions of the C library that are meant: declaring them costs 0.3 ms, so once for a service. */
export function createCopySyscalls(): CopySyscalls {
  const libc = loadLibc();
  return {
    ...nodeCalls(libc),
    ...holeCalls(libc),
    ...cloneCall(libc),
    ...attributeCalls(libc),
    syncFilesystem: async (file) => {
      const syncfs = libc.func("int syncfs(int)");
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      syncfs.async(file, (error: unknown, result: number) => (error ? reject(error) : resolve(result)));
      if ((await promise) !== 0) throw new Error("syncfs was refused"); // its errno stays on the pool's thread
    },
  };
}

function nodeCalls(
  libc: LibraryHandle,
): Pick<CopySyscalls, "linkOpen" | "makeNode" | "setTimes" | "renameUnlessTaken"> {
  const linkat = libc.func("int linkat(int, const uint8_t *, int, const uint8_t *, int)");
  const mknod = libc.func("int mknod(const uint8_t *, unsigned int, uint64_t)");
  const utimensat = libc.func("int utimensat(int, const uint8_t *, const int64_t *, int)");
  const renameat2 = libc.func("int renameat2(int, const uint8_t *, int, const uint8_t *, unsigned int)");
  return {
    linkOpen: (file, path) => {
      const origin = terminated(Buffer.from(`/proc/self/fd/${file}`));
      checked("linkat", path, linkat(AT_FDCWD, origin, AT_FDCWD, terminated(path), AT_SYMLINK_FOLLOW));
    },
    makeNode: (path, mode, device) => {
      checked("mknod", path, mknod(terminated(path), mode, device));
    },
    setTimes: (path, accessed, modified) => {
      const times = new BigInt64Array([...timespec(accessed), ...timespec(modified)]);
      checked("utimensat", path, utimensat(AT_FDCWD, terminated(path), times, AT_SYMLINK_NOFOLLOW));
    },
    renameUnlessTaken: (from, to) => {
      const result = renameat2(AT_FDCWD, terminated(from), AT_FDCWD, terminated(to), RENAME_NOREPLACE);
      return unless("EEXIST", "renameat2", to, result) !== undefined;
    },
  };
}

function holeCalls(libc: LibraryHandle): Pick<CopySyscalls, "nextData" | "nextHole"> {
  const lseek = libc.func("int64_t lseek(int, int64_t, int)");
  const descriptor = (file: number) => Buffer.from(`descriptor ${file}`);
  return {
    nextData: (file, offset) => unless("ENXIO", "lseek", descriptor(file), lseek(file, offset, SEEK_DATA)),
    nextHole: (file, offset) => checked("lseek", descriptor(file), lseek(file, offset, SEEK_HOLE)),
  };
}

/** What FICLONE fails with where it cannot be done, ioctl_ficlone(2): nothing has been changed then. */
const CANNOT_CLONE = ["EOPNOTSUPP", "ENOTTY", "EXDEV", "EINVAL", "EPERM", "ENOSYS", "ETXTBSY"];

function cloneCall(libc: LibraryHandle): Pick<CopySyscalls, "cloneFile"> {
  const ioctl = libc.func("int ioctl(int, unsigned long, int)");
  return {
    cloneFile: (source, destination) => {
      if (ioctl(destination, FICLONE, source) === 0) return true;
      const error = new SyscallError("ioctl", lastErrno(), "FICLONE");
      if (isErrno(error, ...CANNOT_CLONE)) return false;
      throw error;
    },
  };
}

function attributeCalls(
  libc: LibraryHandle,
): Pick<CopySyscalls, "extendedAttributes" | "extendedAttribute" | "setExtendedAttribute"> {
  const llistxattr = libc.func("int64_t llistxattr(const uint8_t *, uint8_t *, size_t)");
  const lgetxattr = libc.func("int64_t lgetxattr(const uint8_t *, const uint8_t *, uint8_t *, size_t)");
  const lsetxattr = libc.func("int lsetxattr(const uint8_t *, const uint8_t *, const uint8_t *, size_t, int)");
  const scratch = Buffer.alloc(ATTRIBUTE_MAX_BYTES);
  return {
    extendedAttributes: (path) => {
      const listed = llistxattr(terminated(path), scratch, scratch.length);
      return splitAtNul(scratch.subarray(0, unless("EOPNOTSUPP", "llistxattr", path, listed) ?? 0));
    },
    extendedAttribute: (path, name) => {
      const read = lgetxattr(terminated(path), terminated(name), scratch, scratch.length);
      return Buffer.from(scratch.subarray(0, checked("lgetxattr", path, read)));
    },
    setExtendedAttribute: (path, name, value) => {
      const result = lsetxattr(terminated(path), terminated(name), value, value.length, 0);
      return unless("EOPNOTSUPP", "lsetxattr", path, result) !== undefined;
    },
  };
}

/** The call's result; undefined when it failed in the one way that is an answer. */
function unless(errnoName: string, syscall: string, path: Buffer, result: number | bigint): number | undefined {
  if (result >= 0) return Number(result);
  const error = new SyscallError(syscall, lastErrno(), path.toString());
  if (isErrno(error, errnoName)) return undefined;
  throw error;
}

function checked(syscall: string, path: Buffer, result: number | bigint): number {
  if (result >= 0) return Number(result);
  throw new SyscallError(syscall, lastErrno(), path.toString());
}

function terminated(path: Buffer): Buffer {
  return Buffer.concat([path, Buffer.from([0])]);
}

function timespec(nanoseconds: bigint): readonly [bigint, bigint] {
  const within = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [(nanoseconds - within) / 1_000_000_000n, within];
}

function splitAtNul(list: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let start = 0, end = list.indexOf(0); end >= 0; start = end + 1, end = list.indexOf(0, start)) {
    names.push(Buffer.from(list.subarray(start, end)));
  }
  return names;
}
