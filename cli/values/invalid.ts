import { CtlError } from "../../services/kit/errors.ts";

/** What a grammar throws: INVALID_ARGUMENT; the caller adds which flag or argument it was. */
export function invalid(reason: string, given: string, why: string, fix?: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason,
    what: `read "${given}"`,
    why,
    ...(fix === undefined ? {} : { fix }),
  });
}
