import { CtlError } from "../kit/errors.ts";
import type { DriverNetwork } from "./drivers/driver.ts";
import { type Family, familyOf, parseAddress } from "./ipam/address.ts";
import { offsetOf, parseSubnet } from "./ipam/subnet.ts";

export type StringMap = Readonly<Record<string, string>>;

export const DRIVERS = ["bridge", "host", "none"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** What an endpoint needs to know of one of its network's subnets. */
export interface PoolFacts {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway: string;
}

export interface Pool extends PoolFacts {
  /** CIDR within the subnet; empty: all of it. */
  readonly ipRange: string;
  /** Addresses that others have, by name. */
  readonly auxAddresses: StringMap;
}

export const GATEWAY_MODES = ["nat", "nat-unprotected", "routed", "isolated"] as const;
/**
 * How containers of one family are reached from outside their bridge: translated at published ports; with all ports open
 * beside that; untranslated, at their own addresses' published ports; not at all, and the host has no address either.
 */
export type GatewayMode = (typeof GATEWAY_MODES)[number];

/** What a driver's options mean, as far as they differ from what is usual. */
export interface DriverSettings {
  /** Containers do not reach one another, but for published ports. */
  readonly isIsolated?: boolean;
  /** The bridge has no IPv4 address; the gateway is somebody else's. */
  readonly hasNoIpv4Gateway?: boolean;
  /** The host's address of ports that name none. */
  readonly hostBinding?: string;
  readonly gatewayMode?: GatewayMode;
  /** Of IPv6. */
  readonly gatewayMode6?: GatewayMode;
  /** Of interfaces' names in containers, instead of `eth`. */
  readonly interfacePrefix?: string;
}

/** What an endpoint needs to know of its network. */
export interface NetworkFacts {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Unique on its node. */
  readonly name: string;
  readonly driver: DriverName;
  /** The link's name on the host; empty for host and none. */
  readonly bridge: string;
  readonly isInternal: boolean;
  /** Its containers appear outside as the host. */
  readonly isMasqueraded: boolean;
  readonly mtu: number | undefined;
  readonly settings: DriverSettings;
  /** Of both families, those of IPv4 first; none for host and none. */
  readonly pools: readonly PoolFacts[];
}

export interface Network extends NetworkFacts {
  readonly isBuiltIn: boolean;
  readonly isAttachable: boolean;
  readonly pools: readonly Pool[];
  readonly labels: StringMap;
  readonly options: StringMap;
  readonly createdAt: Date;
}

export const BUILT_IN_NAMES = ["bridge", "host", "none"] as const;

export function driverNetwork(network: NetworkFacts): DriverNetwork {
  const { id, bridge, isInternal, isMasqueraded, pools, mtu, settings } = network;
  return { ...{ id, bridge, isInternal, isMasqueraded, pools, settings }, ...(mtu === undefined ? {} : { mtu }) };
}

export function poolsOf<P extends PoolFacts>({ pools }: { readonly pools: readonly P[] }, family: Family): P[] {
  return pools.filter(({ subnet }) => familyOf(subnet) === family);
}

/** The pool that one of the network's addresses is of. */
export function poolWith<P extends PoolFacts>(
  { pools }: { readonly pools: readonly P[] },
  address: string,
): P | undefined {
  const parsed = parseAddress(address);
  return pools.find(({ subnet }) => offsetOf(parseSubnet(subnet), parsed) !== undefined);
}

export function hasFamily({ pools }: Pick<NetworkFacts, "pools">, family: Family): boolean {
  return pools.some(({ subnet }) => familyOf(subnet) === family);
}

export function gatewayMode({ settings }: { readonly settings?: DriverSettings }, family: Family): GatewayMode {
  return (family === 4 ? settings?.gatewayMode : settings?.gatewayMode6) ?? "nat";
}

export function networkNotFound(ref: string, what: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "NETWORK_NOT_FOUND",
    what,
    why: `there is no network "${ref}"`,
    fix: "ctl network ls shows those there are",
  });
}
