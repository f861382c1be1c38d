import { closeSync, constants, fstatSync, openSync, writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { ReadStream } from "node:tty";
import { sleep } from "../deadlines.ts";
import { Descriptor } from "./descriptor.ts";
import { lastErrno, loadLibc, SyscallError } from "./libc.ts";

/** ioctl_tty(2); the same numbers on x86-64 and arm64. */
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const CONTROL = "int ioctl(int, unsigned long, void *)";
/** Larger than struct termios (60 bytes). */
const TERMIOS_BYTES = 128;
const TCSANOW = 0;
/** Not among Node's constants. */
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 20;

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Our side of a pseudo-terminal (pty(7)). Whoever has it disposes it. */
export interface Pty extends Disposable {
  /** The other side, raw: for a child, and to be disposed when it has it. */
  readonly childEnd: Descriptor;
  /** What the other side writes; when nobody has that open any more it ends, with EIO as the kernel's word for it. */
  readonly reader: ReadStream;
  /** Waits while the other side does not read. Node writes to a terminal blocking, so a full one is tried again. */
  write(data: Uint8Array, signal: AbortSignal): Promise<void>;
}

/**
 * Tells the terminal that a process has among its descriptors a new size; whoever is in its foreground gets SIGWINCH.
 * False: the process has none. The descriptor is looked at before it is opened, since the process decides what it is.
 */
export async function resizeTerminalOf(pid: number, size: TerminalSize): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  for (const name of names.sort((a, b) => Number(a) - Number(b))) {
    using terminal = openTerminal(`/proc/${pid}/fd/${name}`);
    if (terminal === undefined) continue;
    return loadLibc().func(CONTROL)(terminal.fd, TIOCSWINSZ, windowSize(size)) === 0;
  }
  return false;
}

/** struct winsize. */
function windowSize({ rows, columns }: TerminalSize): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(rows, 0);
  bytes.writeUInt16LE(columns, 2);
  return bytes;
}

/** The other side of a pseudo-terminal; undefined: it is something else, or gone. */
function openTerminal(path: string): Descriptor | undefined {
  try {
    using named = new Descriptor(openSync(path, O_PATH));
    const { rdev } = fstatSync(named.fd);
    if (!isPseudoTerminal(rdev)) return undefined;
    return new Descriptor(openSync(`/proc/self/fd/${named.fd}`, constants.O_RDWR | constants.O_NOCTTY));
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined;
    throw error;
  }
}

/** Majors 136 to 143, see the kernel's devices.txt. */
function isPseudoTerminal(rdev: number): boolean {
  const major = (rdev >> 8) & 0xfff;
  return major >= 136 && major <= 143;
}

/** Throws SyscallError; ENOENT, ENOSPC where the host has no (more) pseudo-terminals. */
export function bindPtys(): (size: TerminalSize | undefined) => Pty {
  const libc = loadLibc();
  const control = libc.func(CONTROL);
  const peer = libc.func("int ioctl(int, unsigned long, int)");
  const calls = {
    get: libc.func("int tcgetattr(int, void *)"),
    makeRaw: libc.func("void cfmakeraw(void *)"),
    set: libc.func("int tcsetattr(int, int, const void *)"),
  };
  return (size) => {
    const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
    const fd = openSync("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
    try {
      check(control(fd, TIOCSPTLCK, Buffer.alloc(4)), "TIOCSPTLCK");
      const child = check(peer(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "TIOCGPTPEER");
      if (size !== undefined) control(fd, TIOCSWINSZ, windowSize(size));
      return makePty(fd, new Descriptor(child), calls);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  };
}

interface TerminalCalls {
  readonly get: (fd: number, attributes: Buffer) => number;
  readonly makeRaw: (attributes: Buffer) => void;
  readonly set: (fd: number, when: number, attributes: Buffer) => number;
}

function makePty(fd: number, childEnd: Descriptor, calls: TerminalCalls): Pty {
  const attributes = Buffer.alloc(TERMIOS_BYTES);
  check(calls.get(fd, attributes), "tcgetattr");
  calls.makeRaw(attributes);
  check(calls.set(fd, TCSANOW, attributes), "tcsetattr");
  const reader = new ReadStream(fd); // owns the descriptor from now on
  const isOpen = () => !reader.destroyed;
  return {
    childEnd,
    reader,
    async write(data, signal) {
      let waitMs = FIRST_WAIT_MS;
      for (let rest = data; rest.length > 0 && isOpen(); ) {
        const taken = tryWrite(fd, rest);
        rest = rest.subarray(taken);
        waitMs = taken > 0 ? FIRST_WAIT_MS : Math.min(waitMs * 2, LONGEST_WAIT_MS);
        if (taken === 0) await sleep(waitMs, signal);
      }
    },
    [Symbol.dispose]() {
      childEnd[Symbol.dispose]();
      reader.destroy();
    },
  };
}

/** 0: it is full. What nobody will ever read counts as taken. */
function tryWrite(fd: number, data: Uint8Array): number {
  try {
    return writeSync(fd, data);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EAGAIN") return 0;
    if (code === "EIO") return data.length;
    throw error;
  }
}

function check(result: number, call: string): number {
  if (result < 0) throw new SyscallError("ioctl", lastErrno(), call);
  return result;
}
