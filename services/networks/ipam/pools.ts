import { CtlError } from "../../kit/errors.ts";
import { addressAt, formatSubnet, overlaps, parseSubnet, type Subnet, sizeOf, subnetOf } from "./subnet.ts";

export interface AddressPool {
  readonly base: Subnet;
  /** Bits of the subnets that are cut from it. */
  readonly prefix: number;
}

/** Docker's own: 172.17.0.0/16 to 172.31.0.0/16 one by one, then sixteen /20 of 192.168.0.0/16. */
export function defaultPools(): AddressPool[] {
  const bases = ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"];
  return [
    ...bases.map((base) => ({ base: parseSubnet(base), prefix: 16 })),
    { base: parseSubnet("192.168.0.0/16"), prefix: 20 },
  ];
}

/**
 * The first subnet of the pools that overlaps none of `taken`: the other networks' subnets and the host's routes
 * (without default routes, which overlap everything). Throws RESOURCE_EXHAUSTED ADDRESS_POOLS_EXHAUSTED.
 */
export function chooseSubnet(pools: readonly AddressPool[], taken: readonly Subnet[]): Subnet {
  for (const candidate of subnetsOf(pools)) {
    if (!taken.some((one) => one.prefix > 0 && overlaps(one, candidate))) return candidate;
  }
  throw new CtlError("RESOURCE_EXHAUSTED", {
    reason: "ADDRESS_POOLS_EXHAUSTED",
    what: "choose a subnet for the network",
    why: `every subnet of ${pools.map(({ base }) => formatSubnet(base)).join(", ")} overlaps a network or a route`,
    fix: "name one with --subnet, remove unused networks (ctl network prune), or configure more address pools",
  });
}

function* subnetsOf(pools: readonly AddressPool[]): Generator<Subnet> {
  for (const { base, prefix } of pools) {
    const step = 1n << BigInt((base.family === 4 ? 32 : 128) - prefix);
    for (let offset = 0n; offset < sizeOf(base); offset += step) {
      yield parseSubnet(`${addressAt(base, offset)}/${prefix}`);
    }
  }
}

/** Docker's choice of a gateway: the first address behind the subnet's own. */
export function defaultGateway(subnet: Subnet): string {
  return addressAt(subnetOf(subnet, subnet.prefix), 1n);
}
