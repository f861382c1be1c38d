import type { Deps } from "./deps.ts";
import { portRules } from "./holding.ts";
import { type DroppingChain, droppingChains, type ForeignChain, foreignChains } from "./nftables/foreign-chains.ts";
import type { PassRule } from "./nftables/pass-rules.ts";
import { isSamePort, isSameTarget, type PortRule } from "./nftables/ports.ts";
import { reasonOf } from "./nftables/reasons.ts";
import { ruleTexts } from "./nftables/rule-texts.ts";
import { allHoldings } from "./store/holdings.ts";

export interface ListedRules {
  readonly table: string;
  readonly isIntegrated: boolean;
  readonly rules: readonly { readonly chain: string; readonly text: string; readonly why: string }[];
  readonly ports: readonly ListedPort[];
  readonly chains: readonly ListedChain[];
  readonly refused: readonly string[];
}

export interface ListedPort extends PortRule {
  /** Empty: the rows know nothing of it, and it will be gone in a minute. */
  readonly holder: string;
  readonly holderName: string;
}

export interface ListedChain extends ForeignChain {
  readonly isDropping: boolean;
  readonly by: string;
  readonly command: string;
  readonly hasOurRule: boolean;
}

/** What is in force, as nftables says it, and why. 20 ms. */
export async function listRules(deps: Deps): Promise<ListedRules> {
  const { thread, names, firewall, ruleset } = deps;
  const texts = await ruleTexts(thread, { family: "inet", table: names.table });
  return {
    table: names.table,
    isIntegrated: firewall.isIntegrated,
    rules: texts.map(({ chain, text }) => ({ chain, text, why: reasonOf(chain, text) })),
    ports: await listPorts(deps),
    chains: await listChains(deps),
    refused: ruleset.refusedUserRules(),
  };
}

async function listPorts({ ruleset, db, node }: Deps): Promise<ListedPort[]> {
  const holdings = await allHoldings(db, node);
  const owners = holdings.flatMap((holding) => portRules(holding).map((port) => ({ port, holding })));
  const ports = (await ruleset.read())?.ports ?? [];
  return ports.map((port) => {
    const owner = owners.find((one) => isSamePort(one.port, port) && isSameTarget(one.port, port))?.holding;
    return { ...port, holder: owner?.holder ?? "", holderName: owner?.holderName ?? "" };
  });
}

async function listChains({ thread, names, firewall }: Deps): Promise<ListedChain[]> {
  const dropping = await droppingChains(thread, names.table);
  const ours = await firewall.passRules();
  const chains = await foreignChains(thread, names.table);
  return Promise.all(
    chains.map(async (chain) => {
      const drop = dropping.find((one) => isSameChain(one, chain));
      const by = drop === undefined ? "" : await textOf(drop, { thread });
      return {
        ...chain,
        ...{ by, command: drop?.command ?? "", isDropping: drop !== undefined },
        hasOurRule: ours.some((one) => isSameTable(one, chain)),
      };
    }),
  );
}

async function textOf({ by }: DroppingChain, { thread }: Pick<Deps, "thread">): Promise<string> {
  if (by === undefined) return "";
  const texts = await ruleTexts(thread, by.rule);
  return texts.find(({ handle }) => handle === by.rule.handle)?.text ?? by.kind;
}

function isSameChain(one: ForeignChain, other: ForeignChain): boolean {
  return isSameTable(one, other) && one.chain === other.chain;
}

function isSameTable(one: Pick<PassRule, "family" | "table">, other: Pick<PassRule, "family" | "table">): boolean {
  return one.family === other.family && one.table === other.table;
}
