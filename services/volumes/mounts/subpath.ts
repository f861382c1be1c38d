import { posix } from "node:path";
import { CtlError } from "../../kit/errors.ts";

/** A part of a volume, relative to it. Throws INVALID_ARGUMENT SUBPATH_INVALID. */
export function parseSubpath(text: string): string {
  if (text === "") return "";
  const path = posix.normalize(text).replace(/\/$/, "");
  const leaves = path === ".." || path.startsWith("../") || path.startsWith("/") || path.includes("\0");
  if (!leaves) return path === "." ? "" : path;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "SUBPATH_INVALID",
    what: `mount "${text}" of a volume`,
    why: "subpath must be a relative path within the volume",
    fix: "give a path below the volume's top, as volume-subpath=data/web",
  });
}
