import { CtlError } from "../../kit/errors.ts";
import type { UserMapping } from "../../kit/linux/user-mapping.ts";
import type { ContainerSpec } from "./spec.ts";

/** What is asked for that a user namespace decides about. */
export interface UsernsWish {
  /** Empty: the daemon's; host: the host's users, whatever the daemon has. */
  readonly usernsMode: string;
  readonly networks: readonly string[];
}

/**
 * The user namespace that a new container has for life, or what of its wish cannot be had in one: Docker's refusals, and
 * that of another container's pid or ipc namespace, which belongs to the other's user namespace.
 * Throws INVALID_ARGUMENT USERNS_MODE_INVALID, USERNS_CONFLICT.
 */
export function userMappingFor(
  { usernsMode, networks }: UsernsWish,
  { privileged, namespaces }: Pick<ContainerSpec, "privileged" | "namespaces">,
  mapping: UserMapping | undefined,
): UserMapping | undefined {
  if (usernsMode !== "" && usernsMode !== "host") throw modeInvalid(usernsMode);
  if (mapping === undefined || usernsMode === "host") return undefined;
  if (privileged) {
    throw conflict("privileged mode is incompatible with user namespaces");
  }
  if (networks.includes("host"))
    throw conflict("cannot share the host's network namespace when user namespaces are enabled");
  if (namespaces.pid === "host") throw conflict("cannot share the host PID namespace when user namespaces are enabled");
  for (const [flag, mode] of [
    ["--pid", namespaces.pid],
    ["--ipc", namespaces.ipc],
  ] as const) {
    if (mode.startsWith("container:"))
      throw conflict(`${flag} ${mode} belongs to the user namespace of that container`);
  }
  if (networks.some((network) => network.startsWith("container:"))) {
    throw conflict("the network of another container belongs to the user namespace of that one");
  }
  return mapping;
}

function modeInvalid(mode: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "USERNS_MODE_INVALID",
    what: `use --userns ${mode}`,
    why: "invalid user namespace mode",
    fix: "use --userns=host, or leave it out",
  });
}

function conflict(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "USERNS_CONFLICT",
    what: "put the container into a user namespace (userns-remap)",
    why,
    fix: "add --userns=host: the container then has the host's users",
  });
}
