import { type BigIntStats, constants, lstatSync } from "node:fs";
import koffi from "koffi";
import { type BytePath, displayPath } from "../tar/entry.ts";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** Seconds and nanoseconds since 1970, the second part never negative. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/**
 * The system calls that put a tree on disk, relative to open directories, with names as bytes. All synchronous and all
 * throw SyscallError. A koffi call costs 0.2 µs beside the call itself, node:fs 2 µs and text for names (Node 26).
 */
export interface FileCalls {
  /** openat2(2) that follows no symlink anywhere and never leaves `directory`: O_PATH of a directory. */
  openDirectory(directory: number, path: BytePath): number;
  /** The same for reading any existing file that is not a symlink. */
  openFile(directory: number, path: BytePath): number;
  /** O_PATH of whatever bears a name there, a symlink itself too: nothing is opened by it, no device, no FIFO. */
  openPath(directory: number, name: BytePath): number;
  /**
   * O_PATH of whatever is at a path as a process whose root `root` is would find it: symlinks and `..` stay inside. A
   * symlink at its end is opened itself (`keep`), or what it leads to (`follow`).
   */
  openInRoot(root: number, path: BytePath, lastLink: "keep" | "follow"): number;
  /** A new regular file, for writing; EEXIST whatever is there, also a symlink. */
  createFile(directory: number, name: BytePath): number;
  makeDirectory(directory: number, name: BytePath): void;
  /** `mode` with the type's bits: S_IFCHR, S_IFBLK, S_IFIFO. */
  makeNode(directory: number, name: BytePath, mode: number, device: Device): void;
  symlink(target: BytePath, directory: number, name: BytePath): void;
  link(fromDirectory: number, from: BytePath, directory: number, name: BytePath): void;
  rename(fromDirectory: number, from: BytePath, directory: number, name: BytePath): void;
  unlink(directory: number, name: BytePath): void;
  removeDirectory(directory: number, name: BytePath): void;
  /** Undefined: it is no symlink, or nothing is there. */
  readLink(directory: number, path: BytePath): BytePath | undefined;
  /** Undefined: nothing is there. */
  stat(directory: number, path: BytePath): BigIntStats | undefined;
  write(fd: number, bytes: Uint8Array, offset: number): void;
  truncate(fd: number, size: number): void;
  chown(fd: number, uid: number, gid: number): void;
  chmod(fd: number, mode: number): void;
  setTime(fd: number, time: FileTime): void;
  /** By name, symlinks themselves. */
  chownAt(directory: number, name: BytePath, uid: number, gid: number): void;
  /** By name; there must be no symlink at it. */
  chmodAt(directory: number, name: BytePath, mode: number): void;
  /** Where data, or a hole, begins at or after an offset (lseek(2)); undefined: no data follows. */
  seek(fd: number, offset: number, to: "data" | "hole"): number | undefined;
  setTimeAt(directory: number, name: BytePath, time: FileTime): void;
  setXattr(fd: number, name: BytePath, value: Uint8Array): void;
  /** By a path below /proc/self/fd, see `descriptorPath`; a symlink at its end is not followed. */
  setXattrAt(path: BytePath, name: BytePath, value: Uint8Array): void;
  listXattrs(path: BytePath): Map<BytePath, Buffer>;
  close(fd: number): void;
  /** Everything of this file system to the disk. Takes as long as the disk does. */
  syncFileSystem(fd: number): void;
}

export interface Device {
  readonly major: number;
  readonly minor: number;
}

export const S_IFMT = 0o170000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFIFO = 0o010000;
export const NO_DEVICE: Device = { major: 0, minor: 0 };

const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const SYS_OPENAT2 = 437; // the same on every architecture
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;
const SEEK = { data: 3, hole: 4 } as const;
/** openat2 says EAGAIN where a rename raced with a `..`: a hostile tree can go on so for ever. */
const MAX_RACES = 64;
const PATH_BYTES = 4096;
const XATTR_BYTES = 65536;

/** What an open descriptor names, as a path: for calls that have no form for descriptors opened with O_PATH. */
export function descriptorPath(fd: number, name?: BytePath): BytePath {
  return name === undefined ? `/proc/self/fd/${fd}` : `/proc/self/fd/${fd}/${name}`;
}

/**
 * Binds the calls for this thread; they share scratch memory, so each thread needs its own, and no more: 0.5 ms, and
 * some memory of the process that goes with the collector only.
 */
export function loadFileCalls(): FileCalls {
  const first = new PathScratch();
  const second = new PathScratch();
  const native = bindNative();
  return {
    ...openCalls(native, first),
    ...nameCalls(native, first, second),
    ...descriptorCalls(native),
    ...attributeCalls(native, first, second),
  };
}

type Native = ReturnType<typeof bindNative>;

/** Names are passed as NUL-terminated bytes: koffi's `str` would read them as UTF-8. */
function bindNative() {
  const libc = loadLibc();
  return {
    openat2: libc.func("syscall", "long", ["long", "int", "const uint8_t *", "const uint8_t *", "size_t"]),
    openat: libc.func("int openat(int, const uint8_t *, int, uint32_t)"),
    mkdirat: libc.func("int mkdirat(int, const uint8_t *, uint32_t)"),
    mknodat: libc.func("int mknodat(int, const uint8_t *, uint32_t, uint64_t)"),
    symlinkat: libc.func("int symlinkat(const uint8_t *, int, const uint8_t *)"),
    linkat: libc.func("int linkat(int, const uint8_t *, int, const uint8_t *, int)"),
    renameat: libc.func("int renameat(int, const uint8_t *, int, const uint8_t *)"),
    unlinkat: libc.func("int unlinkat(int, const uint8_t *, int)"),
    readlinkat: libc.func("int64_t readlinkat(int, const uint8_t *, _Out_ uint8_t *, size_t)"),
    pwrite: libc.func("int64_t pwrite(int, const uint8_t *, size_t, int64_t)"),
    ftruncate: libc.func("int ftruncate(int, int64_t)"),
    fchown: libc.func("int fchown(int, uint32_t, uint32_t)"),
    fchmod: libc.func("int fchmod(int, uint32_t)"),
    futimens: libc.func("int futimens(int, const uint8_t *)"),
    fchownat: libc.func("int fchownat(int, const uint8_t *, uint32_t, uint32_t, int)"),
    fchmodat: libc.func("int fchmodat(int, const uint8_t *, uint32_t, int)"),
    utimensat: libc.func("int utimensat(int, const uint8_t *, const uint8_t *, int)"),
    fsetxattr: libc.func("int fsetxattr(int, const uint8_t *, const uint8_t *, size_t, int)"),
    lsetxattr: libc.func("int lsetxattr(const uint8_t *, const uint8_t *, const uint8_t *, size_t, int)"),
    llistxattr: libc.func("int64_t llistxattr(const uint8_t *, _Out_ uint8_t *, size_t)"),
    lgetxattr: libc.func("int64_t lgetxattr(const uint8_t *, const uint8_t *, _Out_ uint8_t *, size_t)"),
    lseek: libc.func("int64_t lseek(int, int64_t, int)"),
    close: libc.func("int close(int)"),
    syncfs: libc.func("int syncfs(int)"),
  };
}

function openCalls(native: Native, path: PathScratch) {
  const how = Buffer.alloc(24);
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  how.writeBigUInt64LE(BigInt(resolve), 16);
  const openBeneath = (directory: number, name: BytePath, flags: number): number => {
    how.writeUInt32LE(flags | O_CLOEXEC, 0);
    const fd = native.openat2(SYS_OPENAT2, directory, path.set(name === "" ? "." : name), how, how.length);
    return checked("openat2", Number(fd), name);
  };
  const openInRoot = (root: number, name: BytePath, lastLink: "keep" | "follow"): number => {
    const inRoot = Buffer.alloc(24);
    inRoot.writeUInt32LE(O_PATH | O_CLOEXEC | (lastLink === "keep" ? constants.O_NOFOLLOW : 0), 0);
    inRoot.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
    for (let race = 1; ; race++) {
      const fd = Number(native.openat2(SYS_OPENAT2, root, path.set(name === "" ? "." : name), inRoot, inRoot.length));
      if (fd >= 0 || race === MAX_RACES || !isLastErrno("EAGAIN")) return checked("openat2", fd, name);
    }
  };
  const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | O_CLOEXEC;
  return {
    openDirectory: (directory: number, name: BytePath) => openBeneath(directory, name, O_PATH | constants.O_DIRECTORY),
    openFile: (directory: number, name: BytePath) =>
      openBeneath(directory, name, constants.O_RDONLY | constants.O_NONBLOCK),
    // without RESOLVE_NO_SYMLINKS, which refuses a symlink at the end too
    openPath: (directory: number, name: BytePath): number =>
      checked("openat", native.openat(directory, path.set(name), O_PATH | constants.O_NOFOLLOW | O_CLOEXEC, 0), name),
    openInRoot,
    createFile: (directory: number, name: BytePath): number =>
      checked("openat", native.openat(directory, path.set(name), createFlags, 0o600), name),
  };
}

function nameCalls(native: Native, path: PathScratch, other: PathScratch) {
  const target = Buffer.alloc(PATH_BYTES);
  return {
    makeDirectory: (directory: number, name: BytePath): void => {
      checked("mkdirat", native.mkdirat(directory, path.set(name), 0o700), name);
    },
    makeNode: (directory: number, name: BytePath, mode: number, device: Device): void => {
      checked("mknodat", native.mknodat(directory, path.set(name), mode, deviceNumber(device)), name);
    },
    symlink: (to: BytePath, directory: number, name: BytePath): void => {
      checked("symlinkat", native.symlinkat(other.set(to), directory, path.set(name)), name);
    },
    link: (fromDirectory: number, from: BytePath, directory: number, name: BytePath): void => {
      checked("linkat", native.linkat(fromDirectory, other.set(from), directory, path.set(name), 0), name);
    },
    rename: (fromDirectory: number, from: BytePath, directory: number, name: BytePath): void => {
      checked("renameat", native.renameat(fromDirectory, other.set(from), directory, path.set(name)), name);
    },
    unlink: (directory: number, name: BytePath): void => {
      checked("unlinkat", native.unlinkat(directory, path.set(name), 0), name);
    },
    removeDirectory: (directory: number, name: BytePath): void => {
      checked("unlinkat", native.unlinkat(directory, path.set(name), AT_REMOVEDIR), name);
    },
    readLink: (directory: number, name: BytePath): BytePath | undefined => {
      const length = Number(native.readlinkat(directory, path.set(name), target, target.length));
      if (length >= 0) return target.toString("latin1", 0, length);
      if (isLastErrno("EINVAL", "ENOENT", "ENOTDIR")) return undefined;
      throw failed("readlinkat", name);
    },
    stat: (directory: number, name: BytePath): BigIntStats | undefined =>
      lstatSync(Buffer.from(descriptorPath(directory, name), "latin1"), { bigint: true, throwIfNoEntry: false }),
  };
}

function descriptorCalls(native: Native) {
  const times = Buffer.alloc(32);
  return {
    write: (fd: number, bytes: Uint8Array, offset: number): void => {
      let done = 0;
      while (done < bytes.length) {
        const rest = done === 0 ? bytes : bytes.subarray(done);
        done += checked("pwrite", Number(native.pwrite(fd, rest, rest.length, offset + done)), "");
      }
    },
    truncate: (fd: number, size: number): void => {
      checked("ftruncate", native.ftruncate(fd, size), "");
    },
    chown: (fd: number, uid: number, gid: number): void => {
      checked("fchown", native.fchown(fd, uid, gid), "");
    },
    chmod: (fd: number, mode: number): void => {
      checked("fchmod", native.fchmod(fd, mode), "");
    },
    setTime: (fd: number, time: FileTime): void => {
      checked("futimens", native.futimens(fd, timespecs(times, time)), "");
    },
    seek: (fd: number, offset: number, to: "data" | "hole"): number | undefined => {
      const found = Number(native.lseek(fd, offset, SEEK[to]));
      if (found < 0 && isLastErrno("ENXIO")) return undefined;
      return checked("lseek", found, "");
    },
    close: (fd: number): void => {
      native.close(fd); // Linux frees the descriptor even where it answers EINTR
    },
    syncFileSystem: (fd: number): void => {
      checked("syncfs", native.syncfs(fd), "");
    },
  };
}

function attributeCalls(native: Native, path: PathScratch, other: PathScratch) {
  const times = Buffer.alloc(32);
  const values = Buffer.alloc(XATTR_BYTES);
  const readXattr = (file: BytePath, name: BytePath): Buffer => {
    const length = Number(native.lgetxattr(path.set(file), other.set(name), values, values.length));
    return Buffer.from(values.subarray(0, checked("lgetxattr", length, file)));
  };
  return {
    chownAt: (directory: number, name: BytePath, uid: number, gid: number): void => {
      checked("fchownat", native.fchownat(directory, path.set(name), uid, gid, AT_SYMLINK_NOFOLLOW), name);
    },
    chmodAt: (directory: number, name: BytePath, mode: number): void => {
      checked("fchmodat", native.fchmodat(directory, path.set(name), mode, 0), name);
    },
    setTimeAt: (directory: number, name: BytePath, time: FileTime): void => {
      const result = native.utimensat(directory, path.set(name), timespecs(times, time), AT_SYMLINK_NOFOLLOW);
      checked("utimensat", result, name);
    },
    setXattr: (fd: number, name: BytePath, value: Uint8Array): void => {
      checked("fsetxattr", native.fsetxattr(fd, other.set(name), value, value.length, 0), name);
    },
    setXattrAt: (file: BytePath, name: BytePath, value: Uint8Array): void => {
      checked("lsetxattr", native.lsetxattr(path.set(file), other.set(name), value, value.length, 0), file);
    },
    listXattrs: (file: BytePath): Map<BytePath, Buffer> => {
      const length = Number(native.llistxattr(path.set(file), values, values.length));
      if (length < 0 && isLastErrno("EOPNOTSUPP")) return new Map();
      const names = values.toString("latin1", 0, checked("llistxattr", length, file)).split("\0");
      return new Map(names.filter((name) => name !== "").map((name) => [name, readXattr(file, name)]));
    },
  };
}

/** Memory for one path that lives as long as a call. */
class PathScratch {
  readonly #bytes = Buffer.alloc(PATH_BYTES);

  set(path: BytePath): Buffer {
    if (path.length >= PATH_BYTES) throw new SyscallError("path", koffi.os.errno["ENAMETOOLONG"] ?? 36, "of an entry");
    const length = this.#bytes.write(path, 0, "latin1");
    this.#bytes[length] = 0;
    return this.#bytes;
  }
}

/** Access and modification time alike: a layer that was just made has not been read. */
function timespecs(buffer: Buffer, time: FileTime): Buffer {
  for (const at of [0, 16]) {
    buffer.writeBigInt64LE(BigInt(time.seconds), at);
    buffer.writeBigInt64LE(BigInt(time.nanoseconds), at + 8);
  }
  return buffer;
}

/** dev_t as makedev(3) packs it; the kernel has 12 bits for the major and 20 for the minor number. */
function deviceNumber({ major, minor }: Device): number {
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + ((minor >> 8) & 0xfff) * 2 ** 20;
}

function checked(call: string, result: number, name: BytePath): number {
  if (result < 0) throw failed(call, name);
  return result;
}

function failed(call: string, name: BytePath): SyscallError {
  return new SyscallError(call, lastErrno(), displayPath(name));
}

function isLastErrno(...names: string[]): boolean {
  const errno = lastErrno();
  return names.some((name) => koffi.os.errno[name] === errno);
}
