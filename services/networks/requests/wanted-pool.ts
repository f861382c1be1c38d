import { CtlError } from "../../kit/errors.ts";
import { addressToInteger, type Family, formatAddress, integerToAddress, parseAddress } from "../ipam/address.ts";
import { defaultGateway } from "../ipam/pools.ts";
import {
  containsSubnet,
  formatSubnet,
  isUsable,
  offsetOf,
  overlaps,
  parseSubnet,
  type Subnet,
  usableBounds,
} from "../ipam/subnet.ts";
import type { Pool } from "../network.ts";

/** A network's addresses as its rows have them. */
export interface AddressPlan extends Pool {
  /** What containers are given, both inclusive. */
  readonly firstAddress: string;
  readonly lastAddress: string;
}

/** What a person wants of a network's addresses. */
export interface WantedAddresses {
  /** The families that the network has. */
  readonly families: readonly Family[];
  /** Those that are named; a family without one is to get a free subnet. */
  readonly plans: readonly AddressPlan[];
}

export interface AddressesRequest {
  readonly pools: readonly Pool[];
  /** Undefined: IPv4 is on, and IPv6 where a pool is of it. */
  readonly enableIpv4?: boolean | undefined;
  readonly enableIpv6?: boolean | undefined;
}

/** Beyond that nobody counts: the database's arithmetic on addresses has 63 bits. */
const MOST_ADDRESSES = 1n << 32n;

/** A pool without wishes of its own. */
export function freePlan(subnet: Subnet): AddressPlan {
  const gateway = defaultGateway(subnet);
  return addressPlan({ subnet: formatSubnet(subnet), ipRange: "", gateway, auxAddresses: {} });
}

/** Throws INVALID_ARGUMENT IPAM_INVALID. */
export function addressPlan(pool: Pool): AddressPlan {
  const subnet = parseSubnet(pool.subnet);
  const bounds = usableBounds(subnet, pool.ipRange === "" ? subnet : parseSubnet(pool.ipRange));
  const mostBits = subnet.family === 4 ? 30 : 126;
  if (subnet.prefix <= mostBits && bounds !== undefined) {
    return { ...pool, firstAddress: bounds.first, lastAddress: lastCounted(bounds) };
  }
  throw ipamInvalid(`${pool.ipRange || pool.subnet} has no address for a container`, "name a larger one");
}

/**
 * As Docker: without a word a network has IPv4; pools of IPv6 are left out where it is turned off. Throws INVALID_ARGUMENT
 * SUBNET_INVALID, ADDRESS_INVALID, IPAM_INVALID.
 */
export function parseAddresses({ pools, enableIpv4, enableIpv6 }: AddressesRequest): WantedAddresses {
  const named = pools.filter(({ subnet, ipRange, gateway }) => `${subnet}${ipRange}${gateway}` !== "").map(parsePool);
  const has = (family: Family) => named.some(({ subnet }) => parseSubnet(subnet).family === family);
  const families: Family[] = [
    ...(enableIpv4 === false ? [] : [4 as const]),
    ...((enableIpv6 ?? has(6)) ? [6 as const] : []),
  ];
  if (families.length === 0) throw ipamInvalid("IPv4 or IPv6 must be enabled", "leave --ipv4=false out, or say --ipv6");
  if (enableIpv4 === false && has(4)) {
    throw ipamInvalid("it has an IPv4 subnet and IPv4 is turned off", "leave one of them out");
  }
  const plans = named.filter(({ subnet }) => families.includes(parseSubnet(subnet).family));
  refuseOverlaps(plans);
  return { families, plans: plans.toSorted(byFamily) };
}

function byFamily(one: Pool, other: Pool): number {
  return parseSubnet(one.subnet).family - parseSubnet(other.subnet).family;
}

function parsePool({ subnet: text, ipRange, gateway, auxAddresses }: Pool): AddressPlan {
  if (text === "") throw ipamInvalid("an --ip-range or a --gateway needs a --subnet", "name the subnet that it is in");
  const subnet = parseSubnet(text);
  const range = ipRange === "" ? undefined : parseSubnet(ipRange);
  if (range !== undefined && !containsSubnet(subnet, range)) {
    throw ipamInvalid(`the range ${ipRange} is not within the subnet ${text}`, "name a part of the subnet");
  }
  const own = gateway === "" ? undefined : parseOwn("gateway", gateway, subnet);
  const others = Object.entries(auxAddresses).map(
    ([name, address]) => [name, parseOwn(`auxiliary address ${name}`, address, subnet)] as const,
  );
  const taken = [...(own === undefined ? [] : [own]), ...others.map(([, address]) => address)];
  const twice = taken.find((address, index) => taken.indexOf(address) !== index);
  if (twice !== undefined) throw ipamInvalid(`the address ${twice} is named twice`, "name each address once");
  return addressPlan({
    subnet: formatSubnet(subnet),
    ipRange: range === undefined ? "" : formatSubnet(range),
    gateway: own ?? freeGateway(subnet, taken),
    auxAddresses: Object.fromEntries(others),
  });
}

/** Docker's: the first address that nobody has. */
function freeGateway(subnet: Subnet, taken: readonly string[]): string {
  const first = addressToInteger(subnet.bytes);
  for (let offset = 1n; ; offset++) {
    const address = formatAddress(integerToAddress(first + offset, subnet.family));
    if (!isUsable(subnet, address))
      throw ipamInvalid(`${formatSubnet(subnet)} has no address for a gateway`, "name one");
    if (!taken.includes(address)) return address;
  }
}

function parseOwn(what: string, text: string, subnet: Subnet): string {
  const parsed = parseAddress(text);
  const address = formatAddress(parsed.bytes);
  if (offsetOf(subnet, parsed) !== undefined && isUsable(subnet, address)) return address;
  throw ipamInvalid(`the ${what} (${text}) is no usable address of ${formatSubnet(subnet)}`, "name one, or none");
}

function refuseOverlaps(plans: readonly AddressPlan[]): void {
  const subnets = plans.map(({ subnet }) => parseSubnet(subnet));
  for (const [index, one] of subnets.entries()) {
    const other = subnets.slice(index + 1).find((behind) => overlaps(one, behind));
    if (other === undefined) continue;
    throw ipamInvalid(`its subnets ${formatSubnet(one)} and ${formatSubnet(other)} overlap`, "name subnets apart");
  }
}

function lastCounted({ first, last }: { first: string; last: string }): string {
  const { family, bytes } = parseAddress(first);
  const most = addressToInteger(bytes) + MOST_ADDRESSES - 1n;
  return addressToInteger(parseAddress(last).bytes) <= most ? last : formatAddress(integerToAddress(most, family));
}

export function ipamInvalid(why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "IPAM_INVALID", what: "create a network", why, fix });
}
