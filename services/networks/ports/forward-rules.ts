import { familyOf } from "../ipam/address.ts";
import { type DriverSettings, gatewayMode } from "../network.ts";
import type { PortProtocol } from "../nftables/ports.ts";
import { ALL_IPV6 } from "./host-ports.ts";

/** A port that the kernel does not translate: what comes to it is carried by us. */
export interface ForwardRule {
  /** Empty: all of the host's IPv4 addresses; `::`: all of its IPv6 addresses. */
  readonly listenIp: string;
  readonly protocol: "tcp" | "udp";
  readonly hostPort: number;
  /** The container's, of either family. */
  readonly address: string;
  readonly containerPort: number;
}

export interface ForwardablePort {
  readonly hostIp: string;
  readonly protocol: PortProtocol;
  readonly hostPort: number;
  readonly containerPort: number;
}

export interface ForwardTarget {
  /** The container's; each empty where it has none. */
  readonly address: string;
  readonly address6: string;
  readonly network: { readonly settings: DriverSettings };
}

const LOOPBACK_IPV6 = "::1";

/**
 * What of a port the nftables table leaves over (holding.ts, portRules): by a family that the container has no address of,
 * and by ::1, for which the kernel has no route_localnet. SCTP has no such way: it is reached by its own family.
 */
export function forwardRule(
  port: ForwardablePort,
  { address, address6, network }: ForwardTarget,
): ForwardRule | undefined {
  const { hostIp, protocol, hostPort, containerPort } = port;
  if (protocol === "sctp") return undefined;
  // nobody takes what is routed to a container for it
  if (gatewayMode(network, familyOf(hostIp)) === "routed") return undefined;
  const isIpv6 = familyOf(hostIp) === 6;
  const own = isIpv6 ? address6 : address;
  const target = own || (isIpv6 ? address : address6);
  const rule = { protocol, hostPort, address: target, containerPort };
  if (target === "") return undefined;
  if (own === "") return { ...rule, listenIp: hostIp };
  return hostIp === ALL_IPV6 || hostIp === LOOPBACK_IPV6 ? { ...rule, listenIp: LOOPBACK_IPV6 } : undefined;
}
