import { closeSync } from "node:fs";
import { sleep } from "../deadlines.ts";
import { isErrno, lastErrno, loadLibc, SyscallError } from "./libc.ts";

const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;
const FIRST_LOOK_MS = 1;
const SLOWEST_LOOK_MS = 50;

/** Calls of pidfd_open(2), one binding for a process. */
export interface Pidfds {
  /** Undefined: there is no such process (any more). The handle goes on meaning that process, whatever its pid becomes. */
  open(pid: number): ProcessHandle | undefined;
}

export function bindPidfds(): Pidfds {
  const libc = loadLibc();
  const pidfdOpen = libc.func("long syscall(long, int, unsigned int)");
  const sendSignal = libc.func("long syscall(long, int, int, void *, unsigned int)");
  const poll = libc.func("int poll(void *, unsigned long, int)");
  return {
    open: (pid) => {
      const fd = Number(pidfdOpen(SYS_PIDFD_OPEN, pid, 0));
      if (fd >= 0) return new ProcessHandle(fd, { sendSignal, poll });
      const error = new SyscallError("pidfd_open", lastErrno(), String(pid));
      if (isErrno(error, "ESRCH", "EINVAL")) return undefined;
      throw error;
    },
  };
}

interface PidfdCalls {
  readonly sendSignal: (number: number, fd: number, signal: number, info: null, flags: number) => number | bigint;
  readonly poll: (fds: Buffer, count: number, timeoutMs: number) => number;
}

/** One process, held by descriptor: a signal never reaches another one that got its pid. Dispose it. */
export class ProcessHandle implements Disposable {
  readonly #fd: number;
  readonly #calls: PidfdCalls;

  constructor(fd: number, calls: PidfdCalls) {
    this.#fd = fd;
    this.#calls = calls;
  }

  /** False: it has ended. Throws SyscallError. */
  signal(number: number): boolean {
    if (Number(this.#calls.sendSignal(SYS_PIDFD_SEND_SIGNAL, this.#fd, number, null, 0)) === 0) return true;
    const error = new SyscallError("pidfd_send_signal", lastErrno(), String(number));
    if (isErrno(error, "ESRCH")) return false;
    throw error;
  }

  /** Whether the process has ended; its zombie counts as ended. 2 µs. */
  hasEnded(): boolean {
    const pollfd = Buffer.alloc(8);
    pollfd.writeInt32LE(this.#fd, 0);
    pollfd.writeInt16LE(POLLIN, 4);
    return this.#calls.poll(pollfd, 1, 0) > 0;
  }

  /**
   * Waits for its end, seen up to 50 ms late. Node can wait for no descriptor of this kind, and a thread of libuv's pool
   * for each wait would be worse than a look that costs 2 µs.
   */
  async ended(signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_LOOK_MS; !this.hasEnded(); delayMs = Math.min(delayMs * 2, SLOWEST_LOOK_MS)) {
      await sleep(delayMs, signal);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
