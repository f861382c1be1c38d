import type { Refusals } from "../../kit/archive/refusals.ts";
import { CtlError } from "../../kit/errors.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";

function pathNotFound(path: BytePath, cause?: unknown): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "CONTAINER_PATH_NOT_FOUND",
    what: `find "${displayPath(path)}" in the container`,
    why: "there is no such file or directory",
    fix: "look with ctl exec CONTAINER ls, and mind that a container that does not run has no tmpfs",
    cause,
  });
}

/** `why` completes "copy into the container: ". */
export function refusedPath(path: BytePath, why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CONTAINER_PATH_REFUSED",
    what: `use "${displayPath(path)}" in the container`,
    why,
    cause,
  });
}

function readOnlyPath(path: BytePath, isRoot: boolean, cause: unknown): CtlError {
  return new CtlError("PERMISSION_DENIED", {
    reason: "CONTAINER_PATH_READ_ONLY",
    what: `write to "${displayPath(path)}" in the container`,
    why: isRoot ? "container rootfs is marked read-only" : "mounted volume is marked read-only",
    fix: "copy to a volume that may be written",
    cause,
  });
}

function archiveInvalid(why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "ARCHIVE_CORRUPT", what: "unpack the archive", why, cause });
}

function noSpace(path: BytePath, cause: unknown): CtlError {
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "NO_SPACE",
    what: `write to "${displayPath(path)}" in the container`,
    why: "no space is left on the device",
    fix: "make room, or copy to another volume",
    cause,
  });
}

/** What the shared archive code says of a container's tree. */
export const containerRefusals: Refusals = {
  place: "the container",
  notFound: pathNotFound,
  refused: refusedPath,
  readOnly: readOnlyPath,
  noSpace,
  invalid: archiveInvalid,
};
