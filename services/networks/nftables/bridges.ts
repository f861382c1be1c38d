import { type Family, familyOf } from "../ipam/address.ts";

/** What the table must know of a bridge. */
export interface BridgeRules {
  /** The link's name. */
  readonly name: string;
  /** CIDR, IPv4 or IPv6. */
  readonly subnets: readonly string[];
  /** Nothing passes between it and anywhere else. */
  readonly isInternal: boolean;
  /** Its containers appear outside as the host. */
  readonly isMasqueraded: boolean;
  /** Its containers do not reach one another, but for published ports. */
  readonly isIsolated?: boolean;
  /** Families whose ports are all open, published or not. */
  readonly unprotected?: readonly Family[];
  /** Families whose addresses are known outside: nothing is translated, published ports are open at the container's own. */
  readonly routed?: readonly Family[];
}

type Verb = "add" | "delete";

/** The elements by which the static rules know these bridges; their hairpin chains must exist. */
export function bridgeElements(verb: Verb, table: string, bridges: readonly BridgeRules[]): string[] {
  const masqueraded = bridges
    .filter((one) => one.isMasqueraded && !one.isInternal)
    .flatMap((one) => one.subnets.filter((subnet) => one.routed?.includes(familyOf(subnet)) !== true));
  const named = (list: "unprotected" | "routed", family: Family) =>
    bridges.filter((one) => !one.isInternal && one[list]?.includes(family)).map((one) => quoted(one.name));
  const sets: Readonly<Record<string, readonly string[]>> = {
    bridges: bridges.map((one) => quoted(one.name)),
    same_bridge: bridges
      .filter((one) => one.isIsolated !== true)
      .map((one) => `${quoted(one.name)} . ${quoted(one.name)}`),
    internal_bridges: bridges.filter((one) => one.isInternal).map((one) => quoted(one.name)),
    unprotected: named("unprotected", 4),
    unprotected6: named("unprotected", 6),
    routed: named("routed", 4),
    routed6: named("routed", 6),
    masqueraded: masqueraded.filter((subnet) => !subnet.includes(":")),
    masqueraded6: masqueraded.filter((subnet) => subnet.includes(":")),
    hairpins: bridges.map((one) => `${quoted(one.name)} : jump ${hairpinChain(one.name)}`),
  };
  return Object.entries(sets)
    .filter(([, elements]) => elements.length > 0)
    .map(([set, elements]) => `${verb} element inet ${table} ${set} { ${elements.join(", ")} }`);
}

export const HAIRPIN_CHAINS = "hairpin_";

/** A chain's name takes fewer characters than a link's: the others are written as their code. */
export function hairpinChain(bridge: string): string {
  return `${HAIRPIN_CHAINS}${bridge.replace(/[^A-Za-z0-9-]/g, (c) => `_${c.charCodeAt(0).toString(16)}_`)}`;
}

/** Link names are the kernel's or parsed at the edge: no quotes, slashes or blanks. */
function quoted(name: string): string {
  return `"${name}"`;
}
