import { CtlError } from "../../../../services/kit/errors.ts";

/** The INVALID_ARGUMENT with this reason that `parse` throws; fails when it throws another or none. */
export function refused(reason: string, parse: () => unknown): CtlError {
  try {
    parse();
  } catch (error) {
    if (error instanceof CtlError && error.code === "INVALID_ARGUMENT" && error.reason === reason) return error;
    throw error;
  }
  throw new Error(`expected ${reason}, but it was taken`);
}
