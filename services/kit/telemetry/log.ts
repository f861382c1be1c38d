import { destination, type Logger as PinoLogger, pino, stdTimeFunctions } from "pino";
import { CtlError } from "../errors.ts";
import { activeTraceIds } from "./trace.ts";

export type Logger = PinoLogger;

/**
 * The daemon's own log: JSON lines on stderr with the ids of the trace they belong to, never a container's output.
 * error = someone must act, warn = we mended it, info = a decision, debug = the rest.
 */
export function createLog(service: string, level: string): Logger {
  const stderr = destination({ dest: 2, sync: true });
  stderr.on("error", () => {}); // a closed terminal or journal must not end the daemon
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      mixin: activeTraceIds,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["*.password", "*.token", "auth", "*.auth", "*.authorization"],
      serializers: { err: errorFields },
    },
    stderr,
  );
}

function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const own = error instanceof CtlError ? { code: error.code, reason: error.reason, fix: error.fix } : {};
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) };
  return { ...own, type: error.name, message: error.message, stack: error.stack, ...cause };
}
