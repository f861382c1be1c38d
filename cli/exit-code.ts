import { CtlError } from "../services/kit/errors.ts";
import { ARGUMENT_COUNT } from "./grammar/command.ts";
import { Interrupted } from "./interrupted.ts";

export const exitCode = {
  ok: 0,
  failed: 1,
  /** The flags are wrong; for `run` also: the daemon could not make or start it. */
  daemon: 125,
  notExecutable: 126,
  notFound: 127,
  /** 128 + SIGPIPE, what a program has that a closed pipe ended. */
  brokenPipe: 141,
} as const;

/** A filter's value, the options for ps and the name of a new thing are the daemon's to judge; Docker's exit code for what it refuses is 1. */
const FLAG_REASONS =
  /^(?!FILTER_VALUE_INVALID|PS_OPTIONS_INVALID|(CONTAINER|NETWORK|VOLUME)_NAME_INVALID)(FLAG_|FLAGS_|FILE_UNREADABLE|CIDFILE_EXISTS|INPUT_NOT_TERMINAL|[A-Z_]+_INVALID$)/;

/** What execve(2) answers with ENOENT: the program, or what executes it. */
const NOT_FOUND = ["COMMAND_NOT_FOUND", "COMMAND_INTERPRETER_MISSING", "COMMAND_LOADER_MISSING", "COMMAND_HAS_CRLF"];
/** With EACCES or ENOEXEC. */
const NOT_EXECUTABLE = ["COMMAND_NOT_EXECUTABLE", "COMMAND_WRONG_ARCHITECTURE", "COMMAND_NOT_A_PROGRAM"];

/** Docker's exit codes for what a command failed with. */
export function exitCodeOf(error: unknown, commandName: string): number {
  if (error instanceof Interrupted) return error.exitCode;
  const isRun = commandName.endsWith(" run");
  if (!(error instanceof CtlError)) return isRun ? exitCode.daemon : exitCode.failed;
  if (error.reason === ARGUMENT_COUNT || error.reason === "COMMAND_UNKNOWN") return exitCode.failed;
  if (error.code === "INVALID_ARGUMENT" && FLAG_REASONS.test(error.reason)) return exitCode.daemon;
  if (!isRun && !commandName.endsWith(" exec")) return exitCode.failed;
  if (NOT_FOUND.includes(error.reason)) return exitCode.notFound;
  if (NOT_EXECUTABLE.includes(error.reason)) return exitCode.notExecutable;
  return isRun ? exitCode.daemon : exitCode.failed;
}
