import { CtlError } from "../../kit/errors.ts";
import type { Owner } from "../volume.ts";
import type { MountInput } from "./mount.ts";

/** (uid_t)-1 is no user: chown(2) leaves the owner as it is. */
const MAX_ID = 2 ** 32 - 2;

/** Whom a volume is to belong to; undefined: nobody in particular. Throws INVALID_ARGUMENT MOUNT_OWNER_INVALID. */
export function parseOwner({ kind, target, subpath, uid, gid }: MountInput): Owner | undefined {
  if (uid === undefined && gid === undefined) return undefined;
  if (kind !== "volume") throw invalid(target, `a ${kind} mount has the owner that it has`);
  if (subpath !== "") throw invalid(target, "an owner is given to a whole volume, not to a part of it");
  for (const id of [uid, gid]) {
    if (id !== undefined && id > MAX_ID) throw invalid(target, `there is no user or group ${id}`);
  }
  return { uid, gid };
}

function invalid(target: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "MOUNT_OWNER_INVALID",
    what: `give ${target} an owner`,
    why,
    fix: "use uid= and gid= with volumes, as in -v data:/x:uid=1000,gid=1000; a tmpfs takes them as its own options",
  });
}
