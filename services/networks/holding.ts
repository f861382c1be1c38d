import type { DriverNetwork } from "./drivers/driver.ts";
import { FAMILIES, type Family, familyOf } from "./ipam/address.ts";
import { type DriverName, driverNetwork, gatewayMode, hasFamily, type NetworkFacts } from "./network.ts";
import { type PortProtocol, type PortRule, portKey, portMap } from "./nftables/ports.ts";
import { type ForwardRule, forwardRule } from "./ports/forward-rules.ts";
import { ALL_IPV6, type HostPort } from "./ports/host-ports.ts";
import type { Sysctls } from "./sandbox/sysctls.ts";

/** Who keeps what is acquired, and the operation that acquires it: the idempotency key. */
export interface Holder {
  readonly holder: string;
  readonly operation: string;
}

/** All that a holder has: rows, and as long as it is active the host objects that they name. */
export interface Holding {
  readonly holder: string;
  readonly holderName: string;
  readonly acquiredBy: string;
  /** The container runs, or is being started: its sandbox and its port mappings are on the host. */
  readonly isActive: boolean;
  /** Name of the network namespace's mount; undefined: the host's namespace, or inactive. */
  readonly netnsId: string | undefined;
  /** The first has eth0. */
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly Port[];
  /** Resolvers that it was given; empty: the host's. */
  readonly dnsServers: readonly string[];
}

export interface Endpoint {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly network: NetworkFacts;
  /** Empty, as are the next four, where the network's driver gives no interface. */
  readonly interfaceName: string;
  readonly hostLink: string;
  /** Of IPv4, and of IPv6: each empty where the network has none. */
  readonly address: string;
  readonly address6: string;
  readonly mac: string;
  readonly aliases: readonly string[];
  readonly gwPriority: number;
  /** container:alias, as this holder alone calls others on the network. */
  readonly links: readonly string[];
  /** Of its interface, with IFNAME for the name. */
  readonly sysctls: Sysctls;
  /** The operation that connected it beside what the holder had; empty: it came with the holder. */
  readonly connectedBy: string;
}

export interface Port {
  readonly endpointId: string;
  /** Empty: all of the host's IPv4 addresses; `::`: all of its IPv6 addresses. */
  readonly hostIp: string;
  readonly protocol: PortProtocol;
  readonly hostPort: number;
  readonly containerPort: number;
  /** Nobody named this very port. */
  readonly isChosen: boolean;
}

/** The mappings that an active holder has: those of a port's family that the container has an address of. */
export function portRules({ endpoints, ports }: Pick<Holding, "endpoints" | "ports">): PortRule[] {
  const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
  const rules = ports.flatMap(({ endpointId, hostIp, protocol, hostPort, containerPort }): PortRule[] => {
    const endpoint = byId.get(endpointId);
    if (endpoint === undefined) throw new Error(`port ${hostPort} belongs to no endpoint of its holder`);
    const address = familyOf(hostIp) === 4 ? endpoint.address : endpoint.address6;
    // the kernel translates nothing for ::1 (ports/forwarders.ts)
    if (address === "" || hostIp === "::1") return [];
    if (gatewayMode(endpoint.network, familyOf(hostIp)) === "routed") {
      return [{ hostIp: "", hostPort: 0, isRouted: true, protocol, address, containerPort }];
    }
    return [{ hostIp: hostIp === ALL_IPV6 ? "" : hostIp, protocol, hostPort, address, containerPort }];
  });
  // one that is open by two of the host's ports is open once
  return [...new Map(rules.map((rule) => [`${portMap(rule)} ${portKey(rule)}`, rule])).values()];
}

/** What of an active holder's ports the kernel does not translate. */
export function forwardRules({ endpoints, ports }: Pick<Holding, "endpoints" | "ports">): ForwardRule[] {
  const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint]));
  return ports.flatMap((port) => {
    const endpoint = byId.get(port.endpointId);
    return endpoint === undefined ? [] : (forwardRule(port, endpoint) ?? []);
  });
}

export function hostPortOf({ hostIp, protocol, hostPort: port }: Port): HostPort {
  return { hostIp, protocol, port };
}

/** Ports that are held against other programs: a stopped holder's too, where they are to come back. */
export function reservedPorts({ isActive, ports }: Pick<Holding, "isActive" | "ports">): HostPort[] {
  return ports.filter(({ isChosen }) => isActive || isChosen).map(hostPortOf);
}

/**
 * Whose network a family's default route goes through, and of whichever family published ports lead to: of those that lead outside the one with
 * the highest priority, among equals the first, so that a network that comes later moves nothing unasked.
 */
export function defaultRouteEndpoint<E extends Pick<Endpoint, "network" | "gwPriority">>(
  endpoints: readonly E[],
  family?: Family,
): E | undefined {
  const isFitting = ({ network }: E) => hasOutside(network) && (family === undefined || hasFamily(network, family));
  const outward = endpoints.filter(isFitting);
  return outward.toSorted((one, other) => other.gwPriority - one.gwPriority)[0];
}

/** The families whose default route goes through an endpoint. */
export function routedFamilies(endpoints: readonly Endpoint[], { id }: Pick<Endpoint, "id">): Family[] {
  return FAMILIES.filter((family) => defaultRouteEndpoint(endpoints, family)?.id === id);
}

export function hasOutside({ driver, isInternal }: { driver: DriverName; isInternal: boolean }): boolean {
  return driver === "bridge" && !isInternal;
}

export function driverNetworkOf(endpoint: Endpoint): DriverNetwork {
  return driverNetwork(endpoint.network);
}
