import koffi, { type LibraryHandle } from "koffi";
import { CtlError } from "../errors.ts";

/** The C library of this process. Loading the same library again is free (dlopen counts references). */
export function loadLibc(): LibraryHandle {
  return koffi.load("libc.so.6");
}

/** Second names of the same numbers, which would otherwise hide the first. */
const ALIASES = new Set(["EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"]);
const NUMBERS = new Map<string, number>(Object.entries(koffi.os.errno));
const NAMES = new Map<number, string>(
  [...NUMBERS].filter(([name]) => !ALIASES.has(name)).map(([name, number]) => [number, name]),
);

/** `ENOENT` for 2; what the table lacks is `errno 4095`. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** The last system call of this thread failed: read right after the call, in the same turn. */
export function lastErrno(): number {
  return koffi.errno();
}

/**
 * A refused system call as an error with its errno's name as the reason's tail: `SYSCALL_EBUSY`.
 * Callers that know better (not found, exists) catch by `errno`.
 */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  readonly syscall: string;
  readonly errno: number;
  readonly errnoName: string;

  constructor(syscall: string, errno: number, detail: string) {
    super(`${syscall} ${detail}: ${errnoName(errno)}`);
    this.syscall = syscall;
    this.errno = errno;
    this.errnoName = errnoName(errno);
  }
}

export function isErrno(error: unknown, ...names: string[]): error is SyscallError {
  return error instanceof SyscallError && names.some((name) => NUMBERS.get(name) === error.errno);
}

/** Adds what was being done to a refused system call. */
export function syscallFailure(error: unknown, what: string): CtlError {
  const why = error instanceof SyscallError ? `the kernel refused ${error.message}` : "a system call failed";
  return new CtlError("INTERNAL", { reason: "SYSCALL_REFUSED", what, why, cause: error });
}
