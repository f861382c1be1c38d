import { closeSync, openSync } from "node:fs";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** clone(2) flags, for unshare(2) and setns(2). A mount namespace brings a root and cwd of the thread's own with it. */
export const NamespaceFlag = {
  fs: 0x200,
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
} as const;

/** Moves the calling thread, and only it, into new namespaces. For worker threads that do nothing else. */
export function bindUnshare(): (flags: number) => void {
  const unshare = loadLibc().func("int unshare(int)");
  return (flags) => {
    if (unshare(flags) !== 0) throw new SyscallError("unshare", lastErrno(), `0x${flags.toString(16)}`);
  };
}

/** Moves the calling thread into the namespace that a file stands for: `/proc/PID/ns/mnt`, `/run/…/netns/NAME`. */
export function bindEnterNamespace(): (path: string, flag: number) => void {
  const setns = loadLibc().func("int setns(int, int)");
  return (path, flag) => {
    const fd = openSync(path, "r");
    try {
      if (setns(fd, flag) !== 0) throw new SyscallError("setns", lastErrno(), path);
    } finally {
      closeSync(fd);
    }
  };
}
