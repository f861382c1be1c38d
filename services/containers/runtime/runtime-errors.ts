import { CtlError, type ErrorCode } from "../../kit/errors.ts";

interface Meaning {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly why: (match: RegExpExecArray) => string;
  readonly fix: string;
}

const subject = (match: RegExpExecArray) => match[1] ?? match[2] ?? match[3] ?? "";

/** The words of crun 1.8 to 1.21 and runc 1.1 to 1.3, the narrower ones first. */
const MEANINGS: readonly Meaning[] = [
  {
    pattern:
      /executable file [`"']?(.+?)[`"']?:? not found in \$PATH|exec: "(.+?)": executable file not found|open executable [`"'](.+?)[`"']: No such file|exec: "(.+?)": stat .*: no such file/i,
    code: "FAILED_PRECONDITION",
    reason: "COMMAND_NOT_FOUND",
    why: (match) => `the container has no program "${subject(match) || (match[4] ?? "")}"`,
    fix: "name a program that the image has, by its path or a name in its PATH",
  },
];

/** A runtime's refusal as an error of ours; the runtime's own words stay in it. */
export function runtimeError(output: string, what: string): CtlError {
  const words = output.trim();
  for (const { pattern, code, reason, why, fix } of MEANINGS) {
    const match = pattern.exec(words);
    if (match !== null) return new CtlError(code, { reason, what, why: why(match), fix, cause: new Error(words) });
  }
  return new CtlError("FAILED_PRECONDITION", {
    reason: "RUNTIME_REFUSED",
    what,
    why: `the runtime said: ${words || "nothing"}`,
  });
}
