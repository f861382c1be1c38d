import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { isErrno } from "../../kit/linux/libc.ts";
import { type Openat2, OpenFlag, Resolve } from "../../kit/linux/openat2.ts";
import type { ByteRange } from "./header.ts";

/** Enough for an ELF's program headers and a script's first line. */
const HEADER_BYTES = 4_096;
const ANY_EXECUTE_BIT = 0o111;

/** Looks into a root that somebody hostile may have filled: whatever its symlinks say, nothing outside is read. */
export interface RootReader extends Disposable {
  /** The beginning of a regular file that somebody may execute; undefined: there is none. */
  read(path: string): Buffer | undefined;
  exists(path: string): boolean;
  text(path: string, range: ByteRange): string;
}

export function openRoot(rootfsPath: string, openat2: Openat2): RootReader {
  const root = openSync(rootfsPath, constants.O_DIRECTORY | constants.O_RDONLY);
  const open = (path: string): number | undefined => {
    try {
      const flags = OpenFlag.readOnly | OpenFlag.nonBlocking;
      return openat2(root, path, { flags, resolve: Resolve.inRoot | Resolve.noMagicLinks });
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENXIO", "ENAMETOOLONG", "EINVAL")) return undefined;
      throw error;
    }
  };
  const withFile = <T>(path: string, work: (fd: number) => T | undefined): T | undefined => {
    const fd = open(path);
    if (fd === undefined) return undefined;
    try {
      const stat = fstatSync(fd);
      return stat.isFile() && (stat.mode & ANY_EXECUTE_BIT) !== 0 ? work(fd) : undefined;
    } finally {
      closeSync(fd);
    }
  };
  return {
    read: (path) => withFile(path, (fd) => readAt(fd, { offset: 0, length: HEADER_BYTES })),
    exists: (path) => withFile(path, () => true) ?? false,
    text: (path, range) => withFile(path, (fd) => readAt(fd, range).toString("latin1")) ?? "",
    [Symbol.dispose]: () => closeSync(root),
  };
}

function readAt(fd: number, { offset, length }: ByteRange): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
}
