import type { Network } from "./network.ts";

/**
 * The node's networks as this replica saw them last, a second ago at most: a network's row never changes, so it can only
 * lack one, or have one that is gone, which its user then learns from the foreign key. Saves each acquire a query. Holds
 * as many as there are.
 */
export class KnownNetworks {
  #networks: readonly Network[] = [];

  replace(networks: readonly Network[]): void {
    this.#networks = networks;
  }

  add(network: Network): void {
    this.#networks = [...this.#networks, network];
  }

  forget(id: string): void {
    this.#networks = this.#networks.filter((network) => network.id !== id);
  }

  /** By name or whole id. */
  find(ref: string): Network | undefined {
    return this.#networks.find(({ name, id }) => name === ref || id === ref);
  }
}
