import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

const SYS_OPENAT2 = 437;
const AT_FDCWD = -100;

/** open(2) flags that node:fs's constants lack, with those that go with them. */
export const OpenFlag = {
  readOnly: 0,
  writeOnly: 1,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  nonBlocking: 0o4000,
  directory: process.arch === "arm64" ? 0o40000 : 0o200000,
  noFollow: process.arch === "arm64" ? 0o100000 : 0o400000,
  closeOnExec: 0o2000000,
  path: 0o10000000,
} as const;

/** How a path may be resolved, see openat2(2). */
export const Resolve = { noXdev: 0x1, noMagicLinks: 0x2, noSymlinks: 0x4, beneath: 0x8, inRoot: 0x10 } as const;

export interface OpenHow {
  readonly flags: number;
  readonly mode?: number;
  readonly resolve: number;
}

export type Openat2 = (directory: number | undefined, path: string, how: OpenHow) => number;

/**
 * Opens a path relative to a directory's descriptor (undefined: the cwd) under the rules of openat2(2); the descriptor
 * is the caller's to close. With `inRoot` symlinks and `..` are taken as if the directory were `/`: what a hostile
 * root file system holds cannot lead outside. Throws SyscallError.
 */
export function bindOpenat2(): Openat2 {
  // openat2 has no wrapper in glibc
  const syscall = loadLibc().func("long syscall(long, long, const char *, const void *, size_t)");
  return (directory, path, { flags, mode, resolve }) => {
    const how = Buffer.alloc(24);
    how.writeBigUInt64LE(BigInt(flags | OpenFlag.closeOnExec), 0);
    how.writeBigUInt64LE(BigInt(mode ?? 0), 8);
    how.writeBigUInt64LE(BigInt(resolve), 16);
    const fd = Number(syscall(SYS_OPENAT2, directory ?? AT_FDCWD, path, how, how.length));
    if (fd < 0) throw new SyscallError("openat2", lastErrno(), path);
    return fd;
  };
}
