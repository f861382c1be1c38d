import * as z from "zod";
import type { NetworksThread } from "../thread/start.ts";
import { openCommand, PASS_MARK } from "./mark.ts";
import { type ChainName, type Packet, type Rule, type TableView, type Verdict, verdictOf } from "./verdict.ts";

/** A chain of another table that filters what is forwarded. */
export interface ForeignChain extends ChainName {
  /** Lower ones see a packet first. */
  readonly priority: number;
  readonly policy: "accept" | "drop";
}

export interface DroppingChain extends ForeignChain {
  /** The rule that does it; undefined: the policy. */
  readonly by: Verdict | undefined;
  /** Where a rule that lets pass belongs: the chain itself, or the one that Docker keeps for its user. */
  readonly opening: ChainName;
  /** What a person types there. */
  readonly command: string;
}

/** A connection to a published port, on its way to a container. */
const TO_PUBLISHED: Packet = { isNew: true, isTranslated: true, mark: PASS_MARK };

/**
 * Chains that are not ours and drop what was translated for a published port: only their owner may say otherwise. Those
 * in which a rule lets all of it pass are not among them. 3 ms.
 */
export async function droppingChains(thread: NetworksThread, ownTable: string): Promise<DroppingChain[]> {
  const dropping: DroppingChain[] = [];
  const view = foreignView(thread);
  for (const one of await foreignChains(thread, ownTable)) {
    const by = await verdictOf(one, TO_PUBLISHED, view);
    if (by === undefined ? one.policy === "accept" : by.kind === "accept") continue;
    const opening = await openingOf(one, view);
    dropping.push({ ...one, by, opening, command: openCommand(opening) });
  }
  return dropping;
}

/** In the order in which a packet meets them. */
export async function foreignChains(thread: NetworksThread, ownTable: string): Promise<ForeignChain[]> {
  return (await filterChains(thread, "forward")).filter(({ table }) => table !== ownTable);
}

/** All tables' chains that filter at a hook, in the order in which a packet meets them. */
export async function filterChains(
  thread: NetworksThread,
  hook: "input" | "forward" | "output",
): Promise<ForeignChain[]> {
  const chains = objects(await list(thread, "list chains"), "chain", chainSchema);
  return chains
    .filter((chain) => chain.hook === hook && chain.type === "filter" && ["ip", "ip6", "inet"].includes(chain.family))
    .map(({ family, table, name, prio = 0, policy = "accept" }) => ({
      ...{ family, table, chain: name, priority: prio },
      policy: policy === "drop" ? ("drop" as const) : ("accept" as const),
    }))
    .sort((one, other) => one.priority - other.priority);
}

/** Rules as they are listed now; the sets of others are not looked at. */
export function foreignView(thread: NetworksThread): TableView {
  const read = new Map<string, Promise<Rule[]>>();
  return {
    rules: (chain) => {
      const name = `${chain.family} ${chain.table} ${chain.chain}`;
      const rules =
        read.get(name) ?? list(thread, `list chain ${name}`).then((json) => objects(json, "rule", ruleSchema));
      read.set(name, rules);
      return rules;
    },
    elements: () => undefined,
  };
}

/** The same, with the sets of our own table. */
export async function wholeView(thread: NetworksThread, ownTable: string): Promise<TableView> {
  const json = await list(thread, `list table inet ${ownTable}`);
  const sets = new Map(
    [...objects(json, "set", setSchema), ...objects(json, "map", setSchema)].map(({ name, elem }) => [name, elem]),
  );
  return {
    ...foreignView(thread),
    elements: ({ table }, set) => (table === ownTable ? sets.get(set) : undefined),
  };
}

/** Every rule of other tables that stands in a chain for what is forwarded, or where Docker has its user's. */
export async function foreignRules(thread: NetworksThread, ownTable: string): Promise<Rule[]> {
  const view = foreignView(thread);
  const rules: Rule[] = [];
  for (const chain of await foreignChains(thread, ownTable)) {
    rules.push(...(await view.rules(chain)));
    const opening = await openingOf(chain, view);
    if (opening.chain !== chain.chain) rules.push(...(await view.rules(opening)));
  }
  return rules;
}

async function openingOf(chain: ChainName, view: TableView): Promise<ChainName> {
  const rules = await view.rules(chain);
  const isDockers = rules.some(({ expr }) => expr.some((one) => JSON.stringify(one).includes('"DOCKER-USER"')));
  return { family: chain.family, table: chain.table, chain: isDockers ? "DOCKER-USER" : chain.chain };
}

const setSchema = z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) });
const chainSchema = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  prio: z.number().optional(),
  policy: z.string().optional(),
});
const ruleSchema = z
  .object({
    family: z.string(),
    table: z.string(),
    chain: z.string(),
    handle: z.number(),
    comment: z.string().default(""),
    expr: z.array(z.record(z.string(), z.unknown())),
  })
  .readonly();
const listingSchema = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });

/** Empty where the table or chain has gone meanwhile. */
async function list(thread: NetworksThread, script: string): Promise<string> {
  const outcome = await thread.call("nft", { script, output: "json" });
  return outcome.isApplied ? outcome.output : '{"nftables":[]}';
}

function objects<T>(json: string, kind: string, schema: z.ZodType<T>): T[] {
  return listingSchema
    .parse(JSON.parse(json))
    .nftables.flatMap((one) => (kind in one ? [schema.parse(one[kind])] : []));
}
