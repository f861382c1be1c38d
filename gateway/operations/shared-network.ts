import type { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { CtlError } from "../../services/kit/errors.ts";

const PREFIX = "container:";

/** Whether a container lives in another one's network: then it has nothing of its own there, and the other's name files. */
export function sharesNetwork({ endpoints }: Pick<ContainerSpec, "endpoints">): boolean {
  return endpoints.some(({ network }) => network.startsWith(PREFIX));
}

/**
 * What such a container cannot choose, since the other one has it, in Docker's words. Throws INVALID_ARGUMENT
 * NETWORK_MODE_CONFLICT.
 */
export function refuseNetworkConflicts(spec: ContainerSpec): void {
  if (!sharesNetwork(spec)) return;
  const [endpoint, ...others] = spec.endpoints;
  const mode = endpoint?.network ?? "";
  const chosen = `${endpoint?.ipv4Address}${endpoint?.ipv6Address}${endpoint?.macAddress}${endpoint?.aliases.join("")}`;
  const conflicts: readonly (readonly [boolean, string])[] = [
    [others.length > 0 || chosen !== "", "the container type network mode has no other network and no addresses"],
    [mode === PREFIX, "invalid network mode: invalid container format container:<name|id>"],
    [spec.hostname !== "", "conflicting options: hostname and the network mode"],
    [spec.links.length > 0, "conflicting options: container type network can't be used with links"],
    [spec.dnsServers.length > 0, "conflicting options: dns and the network mode"],
    [spec.extraHosts.length > 0, "conflicting options: custom host-to-IP mapping and the network mode"],
    [
      spec.ports.length > 0 || spec.publishAll,
      "conflicting options: port publishing and the container type network mode",
    ],
    [spec.exposedPorts.length > 0, "conflicting options: port exposing and the container type network mode"],
  ];
  const found = conflicts.find(([isThere]) => isThere);
  if (found === undefined) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what: `create a container with the network "${mode}"`,
    why: found[1],
    fix: "say it of the container whose network is shared",
  });
}
