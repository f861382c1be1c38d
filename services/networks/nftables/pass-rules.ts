import type { NetworksThread } from "../thread/start.ts";
import { type DroppingChain, foreignRules } from "./foreign-chains.ts";
import { PASS_RULE, passComment } from "./mark.ts";
import type { ChainName } from "./verdict.ts";

/** A rule of ours in somebody else's chain. */
export interface PassRule extends ChainName {
  readonly handle: number;
}

export interface PassChange {
  readonly done: readonly ChainName[];
  readonly refused: readonly ChainName[];
  /** What nftables said of the last one that it refused. */
  readonly why: string;
}

/** Those of this instance, in whatever table. */
export async function passRules(thread: NetworksThread, ownTable: string): Promise<PassRule[]> {
  const rules = await foreignRules(thread, ownTable);
  return rules
    .filter(({ comment }) => comment === passComment(ownTable))
    .map(({ family, table, chain, handle }) => ({ family, table, chain, handle }));
}

/** One in each of these chains, in front of the others; those that have one already drop nothing. */
export function addPassRules(
  thread: NetworksThread,
  ownTable: string,
  chains: readonly DroppingChain[],
): Promise<PassChange> {
  const add = ({ opening: { family, table, chain } }: DroppingChain) =>
    `insert rule ${family} ${table} ${chain} ${PASS_RULE} comment "${passComment(ownTable)}"`;
  return each(thread, chains, add);
}

export async function removePassRules(thread: NetworksThread, ownTable: string): Promise<PassChange> {
  const remove = ({ family, table, chain, handle }: PassRule) =>
    `delete rule ${family} ${table} ${chain} handle ${handle}`;
  return each(thread, await passRules(thread, ownTable), remove);
}

/** One by one: what one table's owner keeps for himself is no reason to leave the others. */
async function each<C extends ChainName>(
  thread: NetworksThread,
  chains: readonly C[],
  script: (chain: C) => string,
): Promise<PassChange> {
  const done: ChainName[] = [];
  const refused: ChainName[] = [];
  let why = "";
  for (const one of chains) {
    const outcome = await thread.call("nft", { script: script(one), output: "none" });
    if (outcome.isApplied) done.push(one);
    else refused.push(one);
    if (!outcome.isApplied) why = outcome.text.split("\n")[0]?.replace(/^.*?Error: /, "") ?? "";
  }
  return { done, refused, why };
}
