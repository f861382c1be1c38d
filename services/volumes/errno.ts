import { SyscallError } from "../kit/linux/libc.ts";

/** `ENOENT` and its likes, of Node's errors and of our own system calls; empty for any other error. */
export function errnoOf(error: unknown): string {
  if (error instanceof SyscallError) return error.errnoName;
  const code = error instanceof Error && "code" in error ? error.code : "";
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : "";
}

export function hasErrno(error: unknown, ...names: string[]): boolean {
  return names.includes(errnoOf(error));
}

/** Node's error as one whose errno survives the way out of a thread; any other error as it is. */
export function asSyscallError(error: unknown): unknown {
  if (errnoOf(error) === "" || error instanceof SyscallError || !(error instanceof Error)) return error;
  const { syscall, errno, path } = error as NodeJS.ErrnoException;
  return new SyscallError(syscall ?? "system call", -(errno ?? 0), String(path ?? ""));
}
