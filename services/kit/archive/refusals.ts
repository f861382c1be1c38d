import type { CtlError } from "../errors.ts";
import { SyscallError, syscallFailure } from "../linux/libc.ts";
import { type BytePath, displayPath } from "../tar/entry.ts";

/** How a tree's owner says no: its reasons and words name what the tree is part of. */
export interface Refusals {
  /** "the container", "the volume": completes "use a path in …". */
  readonly place: string;
  notFound(path: BytePath, cause?: unknown): CtlError;
  /** `why` completes "use that path: ". */
  refused(path: BytePath, why: string, cause?: unknown): CtlError;
  /** @param isRoot the tree itself is read-only, and not something mounted in it. */
  readOnly(path: BytePath, isRoot: boolean, cause: unknown): CtlError;
  noSpace(path: BytePath, cause: unknown): CtlError;
  /** The archive itself is wrong. `why` completes "unpack the archive: ". */
  invalid(why: string, cause?: unknown): CtlError;
}

/** The kernel's words as the owner's; anything else as it is. */
export function pathFailure(error: unknown, path: BytePath, refusals: Refusals): unknown {
  if (!(error instanceof SyscallError)) return error;
  switch (error.errnoName) {
    case "ENOENT":
      return refusals.notFound(path, error);
    case "ENOTDIR":
      return refusals.refused(path, "not a directory", error);
    case "ELOOP": {
      const why = `too many levels of symbolic links, or one that leads out of ${refusals.place}`;
      return refusals.refused(path, why, error);
    }
    case "ENAMETOOLONG":
      return refusals.refused(path, "file name too long", error);
    case "ENOSPC":
    case "EDQUOT":
      return refusals.noSpace(path, error);
    default:
      return syscallFailure(error, `use "${displayPath(path)}" in ${refusals.place}`);
  }
}
