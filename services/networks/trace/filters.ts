import type { Deps } from "../deps.ts";
import { filterChains, wholeView } from "../nftables/foreign-chains.ts";
import { openCommand, PASS_MARK } from "../nftables/mark.ts";
import { reasonOf } from "../nftables/reasons.ts";
import { ruleTexts } from "../nftables/rule-texts.ts";
import { type Packet, type Verdict, verdictOf } from "../nftables/verdict.ts";
import type { Step } from "./step.ts";

/** What all tables' chains at one hook do with a packet: the first that drops, or that none does. */
export async function filterStep(
  hook: "input" | "forward" | "output",
  packet: Packet,
  { thread, names }: Pick<Deps, "thread" | "names">,
): Promise<Step> {
  const view = await wholeView(thread, names.table);
  const family = packet.daddr?.includes(":") ? "ip6" : "ip";
  let passed = `nothing drops it (${hook})`;
  for (const chain of await filterChains(thread, hook)) {
    if (chain.family !== "inet" && chain.family !== family) continue;
    const isOurs = chain.table === names.table;
    const verdict = await verdictOf(chain, packet, view);
    const isDropped = verdict === undefined ? chain.policy === "drop" : verdict.kind !== "accept";
    const where = `chain ${verdict?.rule.chain ?? chain.chain} of table ${chain.family} ${chain.table}`;
    const by = verdict === undefined ? `policy ${chain.policy}` : await textOf(verdict, thread);
    const why = isOurs && verdict !== undefined ? reasonOf(verdict.rule.chain, by) : "";
    const because = why === "" ? "" : `: ${why}`;
    if (isDropped) {
      return {
        stage: "rules",
        outcome: "stops",
        text: `${where} drops it (${by})${because}`,
        fix: isOurs ? "" : fixOf(packet, chain),
      };
    }
    if (isOurs && verdict !== undefined && chain.chain === "forward")
      passed = `${where} lets it pass (${by})${because}`;
  }
  return { stage: "rules", outcome: "passes", text: passed, fix: "" };
}

/** Where the mark is on it our usual command helps; else only its owner knows what to open. */
function fixOf({ mark = 0 }: Packet, chain: Parameters<typeof openCommand>[0]): string {
  if ((mark & PASS_MARK) !== 0) return openCommand(chain);
  return `open it there, as with: nft insert rule ${chain.family} ${chain.table} ${chain.chain} … accept`;
}

async function textOf({ rule, kind }: Verdict, thread: Deps["thread"]): Promise<string> {
  const texts = await ruleTexts(thread, rule);
  return texts.find(({ handle }) => handle === rule.handle)?.text ?? kind;
}
