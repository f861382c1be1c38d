import { CtlError } from "../errors.ts";

/** The archive is not what its format allows: INVALID_ARGUMENT LAYER_CORRUPT. `why` completes "cannot read the layer: ". */
export function corrupt(why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LAYER_CORRUPT",
    what: "read the layer",
    why,
    fix: "build and push the image again with a current tool",
    cause,
  });
}
