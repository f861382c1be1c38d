import type { Holding } from "../holding.ts";

/** A container on one network, as its neighbours may call it. */
interface Neighbour {
  readonly holder: string;
  /** Lower case. */
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  /** A stopped one's names belong to the network still, and answer nothing. */
  readonly isActive: boolean;
}

interface NetworkZone {
  readonly neighbours: Map<string, Neighbour>;
  readonly byName: Map<string, Set<Neighbour>>;
  readonly byAddress: Map<string, Neighbour>;
}

export interface ZoneNetwork {
  readonly id: string;
  readonly name: string;
  /** Names that who asks has for others there, before theirs: alias to name, lower case. */
  readonly links?: ReadonlyMap<string, string>;
}

/** Docker's length of a short id; a whole one is longer than the 63 bytes of a label. */
export const SHORT_ID = 12;

/**
 * Who is called what on which network: names, aliases (several containers may share one), short ids, and the same with the network's name behind. Kept in memory from the rows, so that an answer costs no query.
 */
export class Zone {
  readonly #networks = new Map<string, NetworkZone>();
  readonly #networksOf = new Map<string, readonly string[]>();

  /** All that a holder is called, in place of what it was called before. */
  put(holding: Pick<Holding, "holder" | "holderName" | "isActive" | "endpoints">): void {
    this.remove(holding.holder);
    for (const endpoint of holding.endpoints) {
      const { holder, holderName, isActive } = holding;
      const names = [holderName, ...endpoint.aliases, holder.slice(0, SHORT_ID)];
      this.#add(endpoint.network.id, {
        holder,
        isActive,
        names: [...new Set(names.filter((name) => name !== "").map((name) => name.toLowerCase()))],
        addresses: [endpoint.address, endpoint.address6].filter((address) => address !== ""),
      });
    }
    this.#networksOf.set(
      holding.holder,
      holding.endpoints.map(({ network }) => network.id),
    );
  }

  remove(holder: string): void {
    for (const networkId of this.#networksOf.get(holder) ?? []) this.#take(networkId, holder);
    this.#networksOf.delete(holder);
  }

  isActiveOn(networkId: string, holder: string): boolean {
    return this.#networks.get(networkId)?.neighbours.get(holder)?.isActive === true;
  }

  holders(): string[] {
    return [...this.#networksOf.keys()];
  }

  /**
   * The addresses that a name has on the first of these networks that knows it, in an order of their own each time.
   * Empty: it is known, and none of that name runs. Undefined: nobody there is called so.
   */
  addressesOf(networks: readonly ZoneNetwork[], name: string): string[] | undefined {
    const asked = name.toLowerCase();
    for (const network of networks) {
      const wanted = network.links?.get(asked) ?? asked;
      const { byName } = this.#networks.get(network.id) ?? {};
      const suffix = `.${network.name.toLowerCase()}`;
      const bare = wanted.endsWith(suffix) ? wanted.slice(0, -suffix.length) : undefined;
      const known = byName?.get(wanted) ?? (bare === undefined ? undefined : byName?.get(bare));
      if (known === undefined) continue;
      return shuffled([...known].filter(({ isActive }) => isActive)).flatMap(({ addresses }) => addresses);
    }
    return undefined;
  }

  /** `name.network` of an address. */
  nameOf(networks: readonly ZoneNetwork[], address: string): string | undefined {
    for (const { id, name } of networks) {
      const neighbour = this.#networks.get(id)?.byAddress.get(address);
      if (neighbour?.isActive === true) return `${neighbour.names[0]}.${name}`;
    }
    return undefined;
  }

  #add(networkId: string, neighbour: Neighbour): void {
    const zone = this.#networks.get(networkId) ?? {
      neighbours: new Map<string, Neighbour>(),
      byName: new Map<string, Set<Neighbour>>(),
      byAddress: new Map<string, Neighbour>(),
    };
    this.#networks.set(networkId, zone);
    zone.neighbours.set(neighbour.holder, neighbour);
    for (const name of neighbour.names) {
      zone.byName.set(name, (zone.byName.get(name) ?? new Set<Neighbour>()).add(neighbour));
    }
    for (const address of neighbour.addresses) zone.byAddress.set(address, neighbour);
  }

  #take(networkId: string, holder: string): void {
    const zone = this.#networks.get(networkId);
    const neighbour = zone?.neighbours.get(holder);
    if (zone === undefined || neighbour === undefined) return;
    zone.neighbours.delete(holder);
    for (const name of neighbour.names) {
      const sharing = zone.byName.get(name);
      sharing?.delete(neighbour);
      if (sharing?.size === 0) zone.byName.delete(name);
    }
    for (const address of neighbour.addresses) {
      if (zone.byAddress.get(address) === neighbour) zone.byAddress.delete(address);
    }
    if (zone.neighbours.size === 0) this.#networks.delete(networkId);
  }
}

/** So that who takes the first address is spread over those that share a name. */
function shuffled<T>(all: readonly T[]): T[] {
  if (all.length < 2) return [...all];
  const drawn = all.map((one) => ({ one, lot: Math.random() }));
  return drawn.sort((a, b) => a.lot - b.lot).map(({ one }) => one);
}
