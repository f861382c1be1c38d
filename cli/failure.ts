import { CtlError } from "../services/kit/errors.ts";

/**
 * A failure as people read it: what could not be done and why, then what to do about it. What is no CtlError is a bug
 * of ctl's own: its stack helps whoever reports it.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof CtlError)) {
    const refusal = outputRefusal(error);
    if (refusal !== undefined) return `ctl: cannot write its output: ${refusal}\n`;
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `ctl: this is a bug in ctl, please report it: ${stack}\n`;
  }
  const fix = error.fix === undefined || error.fix === "" ? "" : `fix: ${error.fix}\n`;
  return `ctl: cannot ${error.what}: ${error.why}\n${fix}`;
}

/** What the system says of a disk that is full or broken under our output; undefined: it was something else. */
function outputRefusal(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error) || error.syscall !== "write")
    return undefined;
  return error.code === "ENOSPC" ? "no space is left on the device" : error.message;
}

/** Whoever read our output went away (`ctl ps | head -1`): that is no failure to talk about. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "EPIPE";
}
