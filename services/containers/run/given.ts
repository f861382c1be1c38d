import type { ContainerMount } from "../spec/spec.ts";

/**
 * What a container got from the other services at its last start: shown, and used again by a restart. Before its first
 * start only its mounts, if it has any.
 */
export interface Given {
  /** Empty: the host's network namespace. */
  readonly netnsPath: string;
  readonly endpoints: readonly GivenEndpoint[];
  readonly ports: readonly GivenPort[];
  readonly mounts: readonly GivenMount[];
  readonly resolvConf: string;
}

export interface GivenEndpoint {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  readonly ipv4Address: string;
  readonly ipv4Prefix: number;
  readonly gateway: string;
  readonly macAddress: string;
  readonly aliases: readonly string[];
  readonly interfaceName: string;
  /** Undefined, as are the next two, in what was given before there was IPv6. */
  readonly ipv6Address?: string;
  readonly ipv6Prefix?: number;
  readonly ipv6Gateway?: string;
}

export interface GivenPort {
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
}

export interface GivenMount {
  /** The volume's name; empty for binds and tmpfs. */
  readonly name: string;
  readonly driver: string;
  readonly mount: ContainerMount;
}

/** What it has on a network: of IPv4, of IPv6, or both. */
export function addressesOf({ ipv4Address, ipv6Address = "" }: GivenEndpoint): string[] {
  return [ipv4Address, ipv6Address].filter((address) => address !== "");
}
