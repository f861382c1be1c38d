import { isErrno, lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** mount(2) flags. */
export const MountFlag = {
  readOnly: 0x1,
  noSuid: 0x2,
  noDev: 0x4,
  noExec: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
} as const;

/** umount2(2) flags. Lazy only where the plain way was refused: it hides a mount and does not end it. */
export const UnmountFlag = { none: 0, lazy: 0x2, noFollow: 0x8 } as const;

export interface MountRequest {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  readonly flags?: number;
  /** The file system's own options; the kernel cuts them at one page. */
  readonly options?: string;
}

/** mount(2), bound by the thread that uses it: names mean what they mean in its mount namespace and from its cwd. */
export function bindMount(): (request: MountRequest) => void {
  const mount = loadLibc().func("int mount(const char *, const char *, const char *, unsigned long, const char *)");
  return ({ source, target, type, flags, options }) => {
    if (mount(source, target, type ?? null, flags ?? 0, options ?? null) === 0) return;
    throw new SyscallError("mount", lastErrno(), `${source} on ${target}`);
  };
}

/**
 * umount2(2) of a name that is no symlink; false when nothing is mounted there. It runs on libuv's pool, because the
 * umount of an overlay first syncs the file system below; that pool is in the process's namespace, whoever calls.
 */
export function bindUnmount(): (target: string, flags?: number) => Promise<boolean> {
  const umount2 = loadLibc().func("int umount2(const char *, int)");
  return async (target, flags = UnmountFlag.none) => {
    const called = Promise.withResolvers<number>();
    umount2.async(target, flags | UnmountFlag.noFollow, (error: unknown, result: number) => {
      if (error) called.reject(error);
      else called.resolve(result === 0 ? 0 : lastErrno());
    });
    const errno = await called.promise;
    if (errno === 0) return true;
    const error = new SyscallError("umount2", errno, target);
    if (isErrno(error, "EINVAL", "ENOENT")) return false;
    throw error;
  };
}
