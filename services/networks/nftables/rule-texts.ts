import type { NetworksThread } from "../thread/start.ts";

export interface RuleText {
  readonly chain: string;
  readonly handle: number;
  readonly text: string;
}

/** Rules as nft prints them: of a table, or of one chain of it. Empty where there is no such thing. */
export async function ruleTexts(
  thread: NetworksThread,
  { family, table, chain }: { readonly family: string; readonly table: string; readonly chain?: string },
): Promise<RuleText[]> {
  const what = chain === undefined ? `table ${family} ${table}` : `chain ${family} ${table} ${chain}`;
  const outcome = await thread.call("nft", { script: `list ${what}`, output: "text" });
  return outcome.isApplied ? parseRuleTexts(outcome.output) : [];
}

/** The lines of a listing with handles; a chain's own line and that of its hook are no rules. */
export function parseRuleTexts(listing: string): RuleText[] {
  const rules: RuleText[] = [];
  let chain = "";
  for (const line of listing.split("\n")) {
    chain = /^\tchain (\S+) \{/.exec(line)?.[1] ?? (/^\t\S/.test(line) ? "" : chain);
    const [, text = "", handle = ""] = /^\t\t(.*) # handle (\d+)$/.exec(line) ?? [];
    if (chain !== "" && text !== "") rules.push({ chain, text, handle: Number(handle) });
  }
  return rules;
}
