import { type FileHandle, open } from "node:fs/promises";
import { sleep } from "../../kit/deadlines.ts";
import { isErrno, lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";

const LOCK_EX_NB = 2 | 4;
const RETRY_MS = 5;

/**
 * flock(2) on a file: the kernel lets go of it with the process, however that ends. Undefined: another open file of it,
 * of whichever process, has the lock.
 */
export async function tryLockFile(path: string, flags: "r" | "a"): Promise<FileHandle | undefined> {
  const file = await open(path, flags, 0o600);
  const flock: (fd: number, operation: number) => number = loadLibc().func("int flock(int, int)");
  if (flock(file.fd, LOCK_EX_NB) === 0) return file;
  const error = new SyscallError("flock", lastErrno(), path);
  await file.close();
  if (isErrno(error, "EAGAIN", "EWOULDBLOCK")) return undefined;
  throw error;
}

/**
 * Runs `work` while nobody else on this host does: all instances that share its network meet at the namespace's own file,
 * whatever directories they have. For what must see what the others have made, as the choice of a subnet.
 */
export async function aloneOnHost<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    await using lock = await tryLockFile("/proc/self/ns/net", "r");
    if (lock !== undefined) return await work();
    await sleep(RETRY_MS, signal);
  }
}
