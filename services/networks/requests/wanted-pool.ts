import { isIPv6 } from "node:net";
import { CtlError } from "../../kit/errors.ts";
import { formatAddress, parseAddress } from "../ipam/address.ts";
import { defaultGateway } from "../ipam/pools.ts";
import { containsSubnet, formatSubnet, isUsable, parseSubnet, type Subnet, usableBounds } from "../ipam/subnet.ts";

export interface PoolRequest {
  /** CIDR. */
  readonly subnet: string;
  /** CIDR within the subnet; empty: all of it. */
  readonly ipRange: string;
  readonly gateway: string;
}

/** A network's addresses as its row has them. */
export interface AddressPlan extends PoolRequest {
  /** What containers are given, both inclusive. */
  readonly firstAddress: string;
  readonly lastAddress: string;
}

/** Throws INVALID_ARGUMENT IPAM_INVALID. */
export function addressPlan(pool: PoolRequest): AddressPlan {
  const subnet = parseSubnet(pool.subnet);
  const bounds = usableBounds(subnet, pool.ipRange === "" ? subnet : parseSubnet(pool.ipRange));
  if (subnet.prefix <= 30 && bounds !== undefined) {
    return { ...pool, firstAddress: bounds.first, lastAddress: bounds.last };
  }
  throw ipamInvalid(`${pool.ipRange || pool.subnet} has no address for a container`, "name a larger one");
}

/**
 * The addresses that a person wants a network to have; undefined: nobody said. Throws INVALID_ARGUMENT SUBNET_INVALID,
 * ADDRESS_INVALID, IPAM_INVALID; UNIMPLEMENTED IPV6_UNSUPPORTED, SEVERAL_SUBNETS_UNSUPPORTED.
 */
export function parsePools(pools: readonly PoolRequest[]): AddressPlan | undefined {
  const [pool, ...others] = pools.filter(({ subnet, ipRange, gateway }) => `${subnet}${ipRange}${gateway}` !== "");
  if (pool === undefined) return undefined;
  if (pools.some(({ subnet }) => isIPv6(subnet.split("/")[0] ?? ""))) {
    const facts = { why: "networks have no IPv6 yet", fix: "name an IPv4 --subnet" };
    throw new CtlError("UNIMPLEMENTED", { reason: "IPV6_UNSUPPORTED", what: "create a network", ...facts });
  }
  if (others.length > 0) {
    const facts = { why: "a bridge network has one subnet", fix: "name one --subnet" };
    throw new CtlError("UNIMPLEMENTED", { reason: "SEVERAL_SUBNETS_UNSUPPORTED", what: "create a network", ...facts });
  }
  return parsePool(pool);
}

function parsePool({ subnet: text, ipRange, gateway }: PoolRequest): AddressPlan {
  if (text === "") throw ipamInvalid("an --ip-range or a --gateway needs a --subnet", "name the subnet that it is in");
  const subnet = parseSubnet(text);
  const range = ipRange === "" ? undefined : parseSubnet(ipRange);
  if (range !== undefined && !containsSubnet(subnet, range)) {
    throw ipamInvalid(`the range ${ipRange} is not within the subnet ${text}`, "name a part of the subnet");
  }
  return addressPlan({
    subnet: formatSubnet(subnet),
    ipRange: range === undefined ? "" : formatSubnet(range),
    gateway: gateway === "" ? defaultGateway(subnet) : parseGateway(gateway, subnet),
  });
}

function parseGateway(text: string, subnet: Subnet): string {
  const gateway = formatAddress(parseAddress(text).bytes);
  if (isUsable(subnet, gateway)) return gateway;
  throw ipamInvalid(`the gateway ${text} is no usable address of ${formatSubnet(subnet)}`, "name one, or none");
}

function ipamInvalid(why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "IPAM_INVALID", what: "create a network", why, fix });
}
