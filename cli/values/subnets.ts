import { BlockList, isIP, isIPv6 } from "node:net";
import { IpamPool } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../services/kit/errors.ts";

/** What a person says of a network's addresses, each thing for itself. */
export interface AddressFlags {
  readonly subnet: readonly string[];
  readonly gateway: readonly string[];
  readonly ipRange: readonly string[];
  /** By name. */
  readonly auxAddress: Readonly<Record<string, string>>;
}

/**
 * Docker's way: a gateway, a range and auxiliary addresses are of the subnet that they lie in. What no subnet is, the
 * daemon says. Throws INVALID_ARGUMENT SUBNET_MISSING.
 */
export function poolsOf(network: string, { subnet, gateway, ipRange, auxAddress }: AddressFlags): IpamPool[] {
  const pools = subnet.map((one) => ({ pool: IpamPool.fromPartial({ subnet: one }), covers: blockOf(one) }));
  const poolOf = (what: string, address: string) => {
    const found = pools.find(({ covers }) => covers(address));
    if (found !== undefined) return found.pool;
    throw subnetMissing(network, `no matching subnet for ${what} ${address}`);
  };
  for (const address of gateway) {
    const pool = poolOf("gateway", address);
    if (pool.gateway !== "") throw subnetMissing(network, "cannot configure multiple gateways on the same subnet");
    pool.gateway = address;
  }
  for (const range of ipRange) {
    const pool = poolOf("range", range.split("/")[0] ?? "");
    if (pool.ipRange !== "") throw subnetMissing(network, "cannot configure multiple ranges on the same subnet");
    pool.ipRange = range;
  }
  for (const [name, address] of Object.entries(auxAddress)) poolOf("aux-address", address).auxAddresses[name] = address;
  return pools.map(({ pool }) => pool);
}

function blockOf(subnet: string): (address: string) => boolean {
  const [address = "", bits = ""] = subnet.split("/");
  const block = new BlockList();
  const isSubnet = isIP(address) !== 0 && /^\d+$/.test(bits) && Number(bits) <= (isIPv6(address) ? 128 : 32);
  if (isSubnet) block.addSubnet(address, Number(bits), isIPv6(address) ? "ipv6" : "ipv4");
  return (one) => isIP(one) !== 0 && block.check(one, isIPv6(one) ? "ipv6" : "ipv4");
}

function subnetMissing(network: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SUBNET_MISSING",
    what: `create network "${network}"`,
    why,
    fix: "say --subnet for each gateway, range and auxiliary address",
  });
}
