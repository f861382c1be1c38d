import { CtlError } from "../../kit/errors.ts";
import { signalNumber } from "../../kit/linux/signals.ts";

/** `TERM`, `SIGTERM` or `15`. Throws INVALID_ARGUMENT SIGNAL_INVALID. */
export function parseSignal(text: string): number {
  const number = signalNumber(text);
  if (number !== undefined && number > 0) return number;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "SIGNAL_INVALID",
    what: `send the signal "${text}"`,
    why: "there is no such signal",
    fix: "kill -l lists them",
  });
}
