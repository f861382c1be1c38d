import { CtlError } from "../../kit/errors.ts";
import { errnoOf } from "../errno.ts";

/** The kernel's word on a copy as ours; any other error as it is. `what` completes "cannot ". */
export function contentFailed(what: string, cause: unknown): unknown {
  const errno = errnoOf(cause);
  if (errno === "") return cause;
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new CtlError("RESOURCE_EXHAUSTED", {
      reason: "VOLUME_FULL",
      what,
      why: "there is no space left for it",
      fix: "make space (ctl system prune)",
      cause,
    });
  }
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_COPY_FAILED",
    what,
    why: cause instanceof Error ? cause.message : errno,
    fix: "look at that file on the host, try again",
    cause,
  });
}
