import { CtlError } from "../../services/kit/errors.ts";
import type { Wish } from "./build.ts";

/** Flags that exclude each other, in Docker's words. Throws INVALID_ARGUMENT FLAGS_CONFLICT. */
export function refuseConflicts({ flags, isDetached, image }: Pick<Wish, "flags" | "isDetached" | "image">): void {
  const restarts = flags.restart !== undefined && flags.restart.mode !== "no";
  if (flags.rm && restarts) {
    throw conflict(image, "conflicting options: cannot specify both --restart and --rm", "leave one of them out");
  }
  if (isDetached && flags.attach.length > 0) {
    throw conflict(image, "conflicting options: cannot specify both --attach and --detach", "leave one of them out");
  }
  const networks = [...flags.network, ...flags.net];
  if (flags["mac-address"] !== undefined && networks.length > 1) {
    throw conflict(image, "--mac-address with several networks", "say --network name=NET,mac-address=… for each");
  }
  if (flags.uts === "host" && flags.hostname !== undefined) {
    throw conflict(image, "conflicting options: hostname and the UTS mode", "leave --hostname or --uts out");
  }
  if (flags.link.length > 0 && networks.some(({ network }) => network === "host")) {
    const why = "conflicting options: host type networking can't be used with links";
    throw conflict(image, why, "leave --link out: the host reaches containers by their addresses");
  }
}

export function conflict(image: string, why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: `describe a container of ${image}`,
    why,
    fix,
  });
}
