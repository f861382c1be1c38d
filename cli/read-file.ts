import { readFileSync } from "node:fs";
import { CtlError } from "../services/kit/errors.ts";

/** A whole file that the user named; `kind` says what it was to be. Throws INVALID_ARGUMENT FILE_UNREADABLE. */
export function readTextFile(path: string, kind: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "FILE_UNREADABLE",
      what: `read the ${kind} ${path}`,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: "name a file that exists and that you may read",
      cause,
    });
  }
}
