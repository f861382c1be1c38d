import type { DroppingChain } from "../nftables/listing.ts";
import type { Ruleset } from "../nftables/ruleset.ts";

/**
 * What the host's own firewall does to published ports: a drop in another table wins over our accept, and only its owner
 * may change that. Looked up beforehand, so that an acquire need not wait for it.
 */
export class Firewall {
  readonly #ruleset: Pick<Ruleset, "droppingChains">;
  #dropping: readonly DroppingChain[] = [];

  constructor(ruleset: Pick<Ruleset, "droppingChains">) {
    this.#ruleset = ruleset;
  }

  /** 2 ms. */
  async refresh(): Promise<void> {
    this.#dropping = await this.#ruleset.droppingChains();
  }

  /** A line for each chain that keeps other hosts from published ports, with the command that opens it. */
  warnings(): string[] {
    return this.#dropping.map(
      ({ family, table, chain }) =>
        `published ports are not reachable from other hosts: the chain ${chain} of the nftables table ${family} ${table} ` +
        `drops what is forwarded; open it with: nft insert rule ${family} ${table} ${chain} ct status dnat accept`,
    );
  }
}
