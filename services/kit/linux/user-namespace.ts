import { closeSync, constants, openSync, readlinkSync, writeFileSync } from "node:fs";
import { deadlineError } from "../deadlines.ts";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";
import { bindSpawns } from "./spawn.ts";
import { mapText, type UserMapping } from "./user-mapping.ts";

/** util-linux's, which every Debian has. */
const UNSHARE = "/usr/bin/unshare";
const READY_TIMEOUT_MS = 10_000;
const NS_GET_USERNS = 0xb701;

/**
 * Runs `work` beside a process in a new user namespace of that mapping, and in a new network namespace that belongs to it
 * where that is wanted; what `work` opens or mounts of it stays when the process is gone. A process, because a thread of
 * ours cannot enter a user namespace (unshare(2): EINVAL in a program of several threads). Synchronous, 3 ms (2 cores).
 */
export function besideUserNamespace<T>(
  mapping: UserMapping,
  { withNetwork }: { readonly withNetwork: boolean },
  work: (pid: number) => T,
): T {
  const spawns = bindSpawns();
  // it reads from a pipe that nobody writes: when this process dies in between, that ends and it with it
  const pipe = openPipe();
  let pid: number | undefined;
  try {
    pid = spawns.spawn({
      path: UNSHARE,
      args: ["unshare", "--user", ...(withNetwork ? ["--net"] : []), "--", "/bin/cat"],
      env: [],
      cwd: "/",
      fds: [pipe.read],
    });
    untilApart(pid);
    writeFileSync(`/proc/${pid}/uid_map`, mapText(mapping.uids));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(mapping.gids));
    return work(pid);
  } finally {
    // not by Node, which did not open them and warns of that in a thread
    const close = loadLibc().func("int close(int)");
    for (const fd of [pipe.read, pipe.write]) close(fd);
    if (pid !== undefined) {
      process.kill(pid, "SIGKILL");
      while (spawns.reap(pid) === undefined) pause();
    }
  }
}

/** A user namespace that lives as long as the descriptor, which the caller owns. */
export function openUserNamespace(mapping: UserMapping): number {
  return besideUserNamespace(mapping, { withNetwork: false }, (pid) => openSync(`/proc/${pid}/ns/user`, "r"));
}

/** The user namespace that a namespace's file belongs to (ioctl_ns(2)), as a descriptor that the caller owns. */
export function openOwner(path: string): number {
  const ioctl = loadLibc().func("int ioctl(int, unsigned long)");
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const owner: number = ioctl(fd, NS_GET_USERNS);
    if (owner < 0) throw new SyscallError("ioctl", lastErrno(), `NS_GET_USERNS of ${path}`);
    return owner;
  } finally {
    closeSync(fd);
  }
}

function openPipe(): { readonly read: number; readonly write: number } {
  const fds = Buffer.alloc(8);
  const pipe2 = loadLibc().func("int pipe2(void *, int)");
  if (pipe2(fds, 0o2000000) !== 0) throw new SyscallError("pipe2", lastErrno(), "");
  return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
}

function untilApart(pid: number): void {
  const own = readlinkSync("/proc/self/ns/user");
  const giveUpAt = performance.now() + READY_TIMEOUT_MS;
  while (readlinkSync(`/proc/${pid}/ns/user`) === own) {
    if (performance.now() > giveUpAt) throw deadlineError(READY_TIMEOUT_MS, "make a user namespace");
    pause();
  }
}

/** A third of a millisecond. Only in threads, and where a service starts: nothing else runs meanwhile. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.3);
}
