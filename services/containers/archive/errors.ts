import { CtlError } from "../../kit/errors.ts";
import { SyscallError, syscallFailure } from "../../kit/linux/libc.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";

export function pathNotFound(path: BytePath, cause?: unknown): CtlError {
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

export function readOnlyPath(path: BytePath, isRoot: boolean, cause: unknown): CtlError {
  return new CtlError("PERMISSION_DENIED", {
    reason: "CONTAINER_PATH_READ_ONLY",
    what: `write to "${displayPath(path)}" in the container`,
    why: isRoot ? "container rootfs is marked read-only" : "mounted volume is marked read-only",
    fix: "copy to a volume that may be written",
    cause,
  });
}

/** The archive itself is wrong. `why` completes "unpack the archive: ". */
export function archiveInvalid(why: string, cause?: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "ARCHIVE_CORRUPT", what: "unpack the archive", why, cause });
}

/** The kernel's words as ours; anything else as it is. */
export function pathFailure(error: unknown, path: BytePath): unknown {
  if (!(error instanceof SyscallError)) return error;
  switch (error.errnoName) {
    case "ENOENT":
      return pathNotFound(path, error);
    case "ENOTDIR":
      return refusedPath(path, "not a directory", error);
    case "ELOOP":
      return refusedPath(path, "too many levels of symbolic links, or one that leads out of the container", error);
    case "ENAMETOOLONG":
      return refusedPath(path, "file name too long", error);
    case "ENOSPC":
    case "EDQUOT":
      return noSpace(path, error);
    default:
      return syscallFailure(error, `use "${displayPath(path)}" in the container`);
  }
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
