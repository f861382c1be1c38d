import { BlockList, isIP } from "node:net";
import { type Holding, hasOutside } from "../holding.ts";
import type { ZoneNetwork } from "./zone.ts";

/** Whom a sandbox's questions come from: what it may know, and whom its other questions go to. */
export interface Asker {
  readonly holder: string;
  /** The networks on which containers have names: those that a person made, as in Docker. */
  readonly named: readonly ZoneNetwork[];
  readonly subnets: BlockList;
  /** None of its networks leads outside: then its questions do not either. */
  readonly isInternal: boolean;
  /** Resolvers that the container was given (`--dns`); empty: the host's. */
  readonly resolvers: readonly string[];
}

export function askerOf(holding: Holding): Asker {
  const networks = holding.endpoints.map(({ network }) => network);
  const subnets = new BlockList();
  for (const { subnet } of networks.flatMap(({ pools }) => pools)) {
    const [address = "", prefix] = subnet.split("/");
    if (isIP(address) !== 0) subnets.addSubnet(address, Number(prefix), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return {
    holder: holding.holder,
    named: networks.filter(({ name }) => name !== "bridge").map(({ id, name }) => ({ id, name })),
    subnets,
    isInternal: !networks.some(hasOutside),
    resolvers: holding.dnsServers,
  };
}

export function coversAddress({ subnets }: Asker, address: string): boolean {
  return subnets.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
