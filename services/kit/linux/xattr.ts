import { isErrno, lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** Extended attributes of the file itself, never of what a symlink points to. See xattr(7). */
export interface Xattrs {
  list(path: string): string[];
  /** Undefined: the file has no such attribute. */
  get(path: string, name: string): Buffer | undefined;
  set(path: string, name: string, value: Uint8Array): void;
  /** False: it was not there. */
  remove(path: string, name: string): boolean;
}

export function bindXattrs(): Xattrs {
  const libc = loadLibc();
  const llistxattr = libc.func("int64_t llistxattr(const char *, void *, size_t)");
  const lgetxattr = libc.func("int64_t lgetxattr(const char *, const char *, void *, size_t)");
  const lsetxattr = libc.func("int lsetxattr(const char *, const char *, const void *, size_t, int)");
  const lremovexattr = libc.func("int lremovexattr(const char *, const char *)");
  return {
    list: (path) => {
      const names = readWhole((buffer, size) => Number(llistxattr(path, buffer, size)), "llistxattr", path);
      return names
        .toString("utf8")
        .split("\0")
        .filter((name) => name !== "");
    },
    get: (path, name) => {
      try {
        return readWhole((buffer, size) => Number(lgetxattr(path, name, buffer, size)), "lgetxattr", path);
      } catch (error) {
        if (isErrno(error, "ENODATA")) return undefined;
        throw error;
      }
    },
    set: (path, name, value) => {
      if (lsetxattr(path, name, value, value.length, 0) === 0) return;
      throw new SyscallError("lsetxattr", lastErrno(), `${name} of ${path}`);
    },
    remove: (path, name) => {
      if (lremovexattr(path, name) === 0) return true;
      const error = new SyscallError("lremovexattr", lastErrno(), `${name} of ${path}`);
      if (isErrno(error, "ENODATA")) return false;
      throw error;
    },
  };
}

/** Asks for the size, then for the value, again if it grew in between. */
function readWhole(read: (buffer: Buffer | null, size: number) => number, syscall: string, path: string): Buffer {
  for (;;) {
    const size = read(null, 0);
    if (size < 0) throw new SyscallError(syscall, lastErrno(), path);
    if (size === 0) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size);
    const length = read(buffer, size);
    if (length >= 0) return buffer.subarray(0, length);
    const error = new SyscallError(syscall, lastErrno(), path);
    if (!isErrno(error, "ERANGE")) throw error;
  }
}
