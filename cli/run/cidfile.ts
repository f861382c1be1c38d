import { existsSync, writeFileSync } from "node:fs";
import { CtlError } from "../../services/kit/errors.ts";

/** Throws CIDFILE_EXISTS: an old id would be lost. */
export function requireFreeCidfile(path: string | undefined): void {
  if (path === undefined || !existsSync(path)) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "CIDFILE_EXISTS",
    what: `write the container's id to ${path}`,
    why: "container ID file found, make sure the other container isn't running or delete it",
    fix: `rm ${path}, or name another --cidfile`,
  });
}

export function writeCidfile(path: string | undefined, id: string): void {
  if (path !== undefined) writeFileSync(path, id, { flag: "wx" });
}
