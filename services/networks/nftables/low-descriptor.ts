import { closeSync, openSync } from "node:fs";
import { loadLibc, SyscallError } from "../../kit/linux/libc.ts";

/** libnftables waits with select(2), and the C library ends a process whose descriptor does not fit an fd_set. */
const FD_SETSIZE = 1024;
const SOL_SOCKET = 1;
const SO_DOMAIN = 39;
const AF_NETLINK = 16;
const EMFILE = 24;
const F_DUPFD_CLOEXEC = 1030;
const ATTEMPTS = 10;

/**
 * A descriptor with a low number, kept for contexts that are made when the process has thousands of files open: each
 * published port and each sandbox's resolver holds some. One thread's own, and lent to one at a time.
 */
export class LowDescriptor implements Disposable {
  readonly #getsockopt: (fd: number, level: number, name: number, value: Buffer, length: [number]) => number;
  #fd: number | undefined;

  constructor() {
    this.#getsockopt = loadLibc().func("int getsockopt(int, int, int, _Out_ void *, _Inout_ uint32_t *)");
    this.#fd = keep();
  }

  /**
   * What `open` makes of one netlink socket has the number. Another thread may open a file in between: then it is made
   * anew. Throws EMFILE when all low numbers are in use.
   */
  lend<T extends Disposable>(open: () => T): T {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      this.#fd ??= keep();
      const fd = this.#fd;
      closeSync(fd);
      this.#fd = undefined;
      const opened = open();
      if (this.#isNetlink(fd)) return opened;
      opened[Symbol.dispose]();
    }
    throw new SyscallError("socket", EMFILE, "below 1024");
  }

  /** What it was lent for is closed: the number is taken again. */
  takeBack(): void {
    this.#fd ??= keep();
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #isNetlink(fd: number): boolean {
    const value = Buffer.alloc(4);
    return this.#getsockopt(fd, SOL_SOCKET, SO_DOMAIN, value, [4]) === 0 && value.readInt32LE(0) === AF_NETLINK;
  }
}

/**
 * Gives a descriptor that is held for long a number from 1024 on, so that the low ones stay free for those who need one.
 * Where the process may not have so many files open it stays as it is.
 */
export function bindRaise(): (fd: number) => number {
  const libc = loadLibc();
  const fcntl = libc.func("int fcntl(int, int, int)");
  const close = libc.func("int close(int)");
  return (fd) => {
    const raised: number = fcntl(fd, F_DUPFD_CLOEXEC, FD_SETSIZE);
    if (raised < 0) return fd;
    close(fd);
    return raised;
  };
}

/** The kernel gives the lowest number that is free. */
function keep(): number {
  const fd = openSync("/dev/null", "r");
  if (fd < FD_SETSIZE) return fd;
  closeSync(fd);
  throw new SyscallError("open", EMFILE, "below 1024");
}
