import { createHash } from "node:crypto";
import * as z from "zod";
import { type BridgeRules, HAIRPIN_CHAINS, hairpinChain } from "./bridges.ts";
import { PORT_MAPS, type PortProtocol, type PortRule } from "./ports.ts";
import type { TableState } from "./table.ts";
import { USER_CHAIN } from "./user-rules.ts";

/** libnftables-json(5): a list of objects with one key each, which names the kind. */
const listingSchema = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) });
const setSchema = z.object({ name: z.string(), elem: z.array(z.unknown()).default([]) });
const ruleSchema = z.object({ chain: z.string(), expr: z.unknown() });
const prefixSchema = z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) });
const concatSchema = z.object({ concat: z.array(z.union([z.string(), z.number()])) });
const portSchema = z.tuple([concatSchema, concatSchema]);

const PROTOCOLS: Readonly<Record<string, PortProtocol>> = { 6: "tcp", 17: "udp", 132: "sctp" };

/** What a whole listing of the table says, for comparing with what it should say. */
export function parseTable(json: string): TableState {
  const sets = setsOf(json);
  const texts = (name: string) => (sets.get(name) ?? []).filter((one) => typeof one === "string");
  const masqueraded = [...(sets.get("masqueraded") ?? []), ...(sets.get("masqueraded6") ?? [])].map(subnetOf);
  const rules = rulesOf(json);
  return {
    bridges: texts("bridges").map((name) => bridgeOf(name, texts("internal_bridges"), masqueraded, rules)),
    ports: PORT_MAPS.flatMap((map) => (sets.get(map) ?? []).map((element) => portOf(element, map))),
    isForwardingGuarded: rules.some(({ chain, text }) => chain === "forward" && isGuard(text, GUARDED.ipv4)),
    isForwarding6Guarded: rules.some(({ chain, text }) => chain === "forward" && isGuard(text, GUARDED.ipv6)),
  };
}

export interface Fingerprints {
  /** Stays the same as long as nobody changes the chains and rules that every table of ours has. */
  readonly own: string;
  /** Of the rules that are its user's. */
  readonly user: string;
}

export function tableFingerprints(terseJson: string): Fingerprints {
  const objects = listingSchema
    .parse(JSON.parse(terseJson))
    .nftables.filter((one) => !JSON.stringify(one).includes(HAIRPIN_CHAINS) && !("metainfo" in one));
  const isUsers = (one: Record<string, unknown>) => ruleSchema.safeParse(one["rule"]).data?.chain === USER_CHAIN;
  return {
    own: digestOf(objects.filter((one) => !isUsers(one))),
    user: digestOf(objects.filter(isUsers)),
  };
}

/** Handles are new in each table; counters count. */
function digestOf(objects: readonly unknown[]): string {
  const lasting = objects.map((one) => JSON.stringify(one).replace(/"(handle|packets|bytes)": ?\d+,? ?/g, ""));
  return createHash("sha256").update(lasting.join("\n")).digest("hex");
}

interface RuleText {
  readonly chain: string;
  readonly text: string;
}

/** Subnets are told from the hairpin rules, which name all of a bridge's, masqueraded or not. */
function bridgeOf(
  name: string,
  internal: readonly string[],
  masqueraded: readonly string[],
  rules: readonly RuleText[],
): BridgeRules {
  const subnets = rules
    .filter(({ chain }) => chain === hairpinChain(name))
    .flatMap(({ text }) => [...text.matchAll(/"addr": ?"([^"]+)", ?"len": ?(\d+)/g)].map((m) => `${m[1]}/${m[2]}`));
  const isInternal = internal.includes(name);
  return { name, subnets, isInternal, isMasqueraded: subnets.some((subnet) => masqueraded.includes(subnet)) };
}

function portOf(element: unknown, map: string): PortRule {
  if (map.startsWith("opened")) return openedOf(element);
  const [{ concat: key }, { concat: target }] = portSchema.parse(element);
  const hostIp = map.endsWith("_by_address") ? String(key[0]) : "";
  const [protocol, hostPort] = key.slice(hostIp === "" ? 0 : 1);
  return {
    hostIp,
    protocol: PROTOCOLS[String(protocol)] ?? "tcp",
    hostPort: Number(hostPort),
    address: String(target[0]),
    containerPort: Number(target[1]),
  };
}

function openedOf(element: unknown): PortRule {
  const [address, protocol, port] = concatSchema.parse(element).concat;
  return {
    ...{ hostIp: "", hostPort: 0, isRouted: true },
    ...{ address: String(address), protocol: PROTOCOLS[String(protocol)] ?? "tcp", containerPort: Number(port) },
  };
}

function subnetOf(element: unknown): string {
  const { prefix } = prefixSchema.parse(element);
  return `${prefix.addr}/${prefix.len}`;
}

/** NFPROTO_IPV4 and NFPROTO_IPV6, which nft prints by name or number. */
const GUARDED = { ipv4: /"nfproto".*"right": ?("ipv4"|2)\}/, ipv6: /"nfproto".*"right": ?("ipv6"|10)\}/ } as const;

function isGuard(text: string, family: RegExp): boolean {
  return (
    family.test(text) &&
    text.includes("iifname") &&
    text.includes("!=") &&
    text.includes("@bridges") &&
    text.includes("drop")
  );
}

function setsOf(json: string): Map<string, unknown[]> {
  const sets = [...objectsOf(json, "set", setSchema), ...objectsOf(json, "map", setSchema)];
  return new Map(sets.map(({ name, elem }) => [name, elem]));
}

function rulesOf(json: string): RuleText[] {
  return objectsOf(json, "rule", ruleSchema).map(({ chain, expr }) => ({ chain, text: JSON.stringify(expr) }));
}

function objectsOf<T>(json: string, kind: string, schema: z.ZodType<T>): T[] {
  return listingSchema
    .parse(JSON.parse(json))
    .nftables.flatMap((one) => (kind in one ? [schema.parse(one[kind])] : []));
}
