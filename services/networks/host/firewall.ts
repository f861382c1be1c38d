import type { Logger } from "../../kit/telemetry/log.ts";
import { type DroppingChain, droppingChains } from "../nftables/foreign-chains.ts";
import { addPassRules, type PassRule, passRules, removePassRules } from "../nftables/pass-rules.ts";
import type { NetworksThread } from "../thread/start.ts";
import { aloneOnHost } from "./lock.ts";

export interface FirewallDeps {
  readonly thread: NetworksThread;
  readonly log: Logger;
  /** Our own. */
  readonly table: string;
  /** The host's owner wants us to open his chains (`firewall: integrate`). */
  readonly isIntegrated: boolean;
}

/**
 * What the host's own firewall does to published ports: a drop in another table wins over our accept, and only its owner
 * may change that, himself or by having us keep one rule there.
 */
export class Firewall {
  readonly #deps: FirewallDeps;
  #dropping: readonly DroppingChain[] = [];
  #told = "";

  constructor(deps: FirewallDeps) {
    this.#deps = deps;
  }

  get isIntegrated(): boolean {
    return this.#deps.isIntegrated;
  }

  /** Looks at the other tables, and says in the log what is new there. 3 ms. */
  async refresh(): Promise<void> {
    const { thread, table, log } = this.#deps;
    this.#dropping = await droppingChains(thread, table);
    const told = this.warnings().join("\n");
    if (told === this.#told) return;
    this.#told = told;
    for (const warning of this.warnings()) log.warn(warning);
    if (told === "") log.info("no chain of the host's own firewall drops what is published");
  }

  /** As of the last look. */
  dropping(): readonly DroppingChain[] {
    return this.#dropping;
  }

  /** A line for each chain that keeps other hosts from published ports, with the command that opens it. */
  warnings(): string[] {
    return this.#dropping.map(
      ({ family, table, chain, command }) =>
        `published ports are not reachable from other hosts: the chain ${chain} of the nftables table ${family} ${table} ` +
        `drops what is forwarded; open it with: ${command}, or let ctl keep that rule (firewall: integrate)`,
    );
  }

  /** Our rules in the tables of others. */
  passRules(): Promise<PassRule[]> {
    return passRules(this.#deps.thread, this.#deps.table);
  }

  /**
   * With `firewall: integrate` and a container that runs, one marked rule in each chain that drops; else none. `isNeeded`
   * is asked while nobody else on this host does the same. Done again it changes nothing. 5 ms.
   */
  settle(isNeeded: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    const { thread, table, log, isIntegrated } = this.#deps;
    return aloneOnHost(signal, async () => {
      const isWanted = isIntegrated && (await isNeeded());
      const change = isWanted
        ? await addPassRules(thread, table, await droppingChains(thread, table))
        : await removePassRules(thread, table);
      for (const { family, table: theirs, chain } of change.refused) {
        log.warn({ "ctl.chain": `${family} ${theirs} ${chain}` }, `rule of ctl refused: ${change.why}`);
      }
      for (const { family, table: theirs, chain } of change.done) {
        log.info(
          { "ctl.chain": `${family} ${theirs} ${chain}` },
          isWanted ? "rule of ctl added" : "rule of ctl removed",
        );
      }
      await this.refresh();
    });
  }
}
