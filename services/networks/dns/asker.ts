import { BlockList, isIP } from "node:net";
import { type Holding, hasOutside } from "../holding.ts";
import { SHORT_ID, type ZoneNetwork } from "./zone.ts";

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
  const named = holding.endpoints.filter(({ network }) => network.name !== "bridge");
  const subnets = new BlockList();
  for (const { subnet } of networks.flatMap(({ pools }) => pools)) {
    const [address = "", prefix] = subnet.split("/");
    if (isIP(address) !== 0) subnets.addSubnet(address, Number(prefix), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return {
    holder: holding.holder,
    named: named.map(({ network: { id, name }, links }) => ({ id, name, links: linkedNames(links) })),
    subnets,
    isInternal: !networks.some(hasOutside),
    resolvers: holding.dnsServers,
  };
}

/** What it alone calls others: alias to name, both lower case. A whole id is known by its first digits. */
function linkedNames(links: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    links.map((link) => {
      const [container = "", alias = ""] = link.toLowerCase().split(":");
      return [alias, /^[0-9a-f]{64}$/.test(container) ? container.slice(0, SHORT_ID) : container];
    }),
  );
}

export function coversAddress({ subnets }: Asker, address: string): boolean {
  return subnets.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
