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
