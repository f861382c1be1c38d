import koffi from "koffi";
import { lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Marks an open temporary (file or directory) as somebody's, until the descriptor is closed: the kernel gives the lock
 * back when the process dies, so a sweep can tell what is left over from what is being written, also by another replica.
 * False: somebody else holds it. See flock(2).
 */
export function lockTemporary(fd: number): boolean {
  const flock = loadLibc().func("int flock(int, int)");
  if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === koffi.os.errno["EWOULDBLOCK"] || errno === koffi.os.errno["EAGAIN"]) return false;
  throw new SyscallError("flock", errno, "a temporary");
}
