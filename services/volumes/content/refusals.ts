import type { Refusals } from "../../kit/archive/refusals.ts";
import { CtlError } from "../../kit/errors.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";

/** What the shared archive code says of a volume's tree. */
export const volumeRefusals: Refusals = {
  place: "the volume",
  notFound: (path, cause) => refused(path, "there is no such file or directory", cause),
  refused,
  readOnly: (path, _isRoot, cause) => refused(path, "the volume is read-only", cause),
  noSpace: (path, cause) =>
    new CtlError("RESOURCE_EXHAUSTED", {
      reason: "VOLUME_FULL",
      what: `write "${displayPath(path)}" to the volume`,
      why: "there is no space left for it",
      fix: "make space (ctl system prune)",
      cause,
    }),
  invalid: (why, cause) =>
    new CtlError("INVALID_ARGUMENT", {
      reason: "VOLUME_ARCHIVE_CORRUPT",
      what: "restore the volume",
      why,
      fix: "give it a whole tar: plain, gzip or zstd",
      cause,
    }),
};

function refused(path: BytePath, why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "VOLUME_PATH_REFUSED",
    what: `use "${displayPath(path)}" of the volume`,
    why,
    fix: "look at that file; device nodes are restored with --devices only",
    cause,
  });
}
