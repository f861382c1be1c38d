import { BlockList } from "node:net";
import * as z from "zod";
import { parseAddress } from "../ipam/address.ts";

export interface ChainName {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
}

/** What is known of a packet; what is left out may be anything. */
export interface Packet {
  readonly iifname?: string;
  readonly oifname?: string;
  readonly saddr?: string;
  readonly daddr?: string;
  /** IPPROTO_TCP and its likes. */
  readonly protocol?: number;
  readonly dport?: number;
  readonly mark?: number;
  /** It opens a connection. */
  readonly isNew?: boolean;
  /** Its destination was translated. */
  readonly isTranslated?: boolean;
}

export interface Rule extends ChainName {
  readonly handle: number;
  readonly comment: string;
  readonly expr: readonly Statement[];
}

type Statement = Readonly<Record<string, unknown>>;

/** What a table holds beside the chain that is looked at. */
export interface TableView {
  rules(chain: ChainName): Promise<readonly Rule[]>;
  /** A set's elements; undefined: not known. */
  elements(chain: ChainName, set: string): readonly unknown[] | undefined;
}

export interface Verdict {
  readonly kind: "accept" | "drop" | "reject";
  readonly rule: Rule;
}

/**
 * What a chain and those that it jumps to do with a packet: the first rule that decides, of those whose conditions hold
 * for certain. Conditions that ask what is not known, or that this does not understand (extensions of iptables, limits),
 * are taken as not met. Undefined: no rule decides, and for a base chain its policy does. See nft(8) and
 * libnftables-json(5).
 */
export async function verdictOf(chain: ChainName, packet: Packet, view: TableView): Promise<Verdict | undefined> {
  for (const rule of await view.rules(chain)) {
    if (!rule.expr.every((one) => holds(one, packet, rule, view) !== "no")) continue;
    const step = stepOf(rule);
    if (step === undefined) continue;
    if (step.kind === "return") return undefined;
    if (step.kind !== "jump" && step.kind !== "goto") return { kind: step.kind, rule };
    const inner = await verdictOf({ ...chain, chain: step.target }, packet, view);
    if (inner !== undefined || step.kind === "goto") return inner;
  }
  return undefined;
}

type Step = { readonly kind: Verdict["kind"] | "return" } | { readonly kind: "jump" | "goto"; readonly target: string };

const targetSchema = z.object({ target: z.string() });
const xtSchema = z.object({ type: z.string(), name: z.string() });

function stepOf({ expr }: Rule): Step | undefined {
  for (const statement of expr) {
    for (const kind of ["accept", "drop", "reject", "return"] as const) if (kind in statement) return { kind };
    for (const kind of ["jump", "goto"] as const) {
      if (kind in statement) return { kind, target: targetSchema.parse(statement[kind]).target };
    }
    const xt = xtSchema.safeParse(statement["xt"]).data;
    if (xt?.type === "target" && xt.name === "REJECT") return { kind: "reject" };
  }
  return undefined;
}

/** Statements that change nothing about whether the rule goes on. */
const HARMLESS = ["counter", "log", "mangle", "accept", "drop", "reject", "return", "jump", "goto", "notrack"];

function holds(statement: Statement, packet: Packet, rule: Rule, view: TableView): "yes" | "no" {
  const [kind = ""] = Object.keys(statement);
  if (HARMLESS.includes(kind)) return "yes";
  if (kind === "xt") {
    const xt = xtSchema.safeParse(statement["xt"]).data;
    return xt?.type === "target" || xt?.name === "comment" ? "yes" : "no";
  }
  const match = kind === "match" ? matchSchema.safeParse(statement["match"]).data : undefined;
  return match !== undefined && isMet(match, packet, (set) => view.elements(rule, set)) ? "yes" : "no";
}

const matchSchema = z.object({ op: z.string(), left: z.unknown(), right: z.unknown() });
type Match = z.infer<typeof matchSchema>;
type Scalar = string | number;
type Elements = (set: string) => readonly unknown[] | undefined;

function isMet({ op, left, right }: Match, packet: Packet, elements: Elements): boolean {
  const values = valuesOf(left, packet);
  if (values === undefined) return false;
  const wanted = elementsOf(right, elements);
  if (wanted === undefined) return false;
  const isFlags = isFlagged(left) && op !== "!=" && op !== "==";
  const isAmong = wanted.some((one) => (isFlags ? hasFlag(values, one) : isEqual(values, one)));
  return op === "!=" ? !isAmong : isAmong;
}

/** `ct state` and `ct status` are bits, of which a rule names some. */
function isFlagged(left: unknown): boolean {
  const key = ctSchema.safeParse(left).data?.ct.key;
  return key === "state" || key === "status";
}

function hasFlag([value]: readonly Scalar[], wanted: unknown): boolean {
  return typeof value === "number" && typeof wanted === "number" && (value & wanted) !== 0;
}

const ctSchema = z.object({ ct: z.object({ key: z.string() }) });
const metaSchema = z.object({ meta: z.object({ key: z.string() }) });
const payloadSchema = z.object({ payload: z.object({ protocol: z.string(), field: z.string() }) });
const maskedSchema = z.object({ "&": z.tuple([z.unknown(), z.number()]) });
const concatSchema = z.object({ concat: z.array(z.unknown()) });

/** Undefined: not known. */
function valuesOf(left: unknown, packet: Packet): Scalar[] | undefined {
  const concat = concatSchema.safeParse(left).data?.concat;
  const parts = (concat ?? [left]).map((part) => scalarOf(part, packet));
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

function scalarOf(left: unknown, packet: Packet): Scalar | undefined {
  const masked = maskedSchema.safeParse(left).data?.["&"];
  if (masked !== undefined) {
    const value = scalarOf(masked[0], packet);
    return typeof value === "number" ? value & masked[1] : undefined;
  }
  const meta = metaSchema.safeParse(left).data?.meta.key;
  if (meta !== undefined) return metaValue(meta, packet);
  const ct = ctSchema.safeParse(left).data?.ct.key;
  if (ct !== undefined) return ctValue(ct, packet);
  const payload = payloadSchema.safeParse(left).data?.payload;
  return payload === undefined ? undefined : payloadValue(payload, packet);
}

const NFPROTO = { 4: 2, 6: 10 } as const;
const ETHERTYPE = { 4: "ip", 6: "ip6" } as const;

function metaValue(key: string, packet: Packet): Scalar | undefined {
  const family = familyOf(packet);
  switch (key) {
    case "iifname":
    case "iif":
      return packet.iifname;
    case "oifname":
    case "oif":
      return packet.oifname;
    case "mark":
      return packet.mark;
    case "l4proto":
      return packet.protocol;
    case "nfproto":
      return family === undefined ? undefined : NFPROTO[family];
    case "protocol":
      return family === undefined ? undefined : ETHERTYPE[family];
    default:
      return undefined;
  }
}

/** Numbers of nf_conntrack_common.h: IP_CT_NEW is 8 as nftables prints states, established 2; IPS_DST_NAT 32. */
function ctValue(key: string, { isNew, isTranslated }: Packet): number | undefined {
  if (key === "state") return isNew === undefined ? undefined : isNew ? 8 : 2;
  if (key === "status") return isTranslated === undefined ? undefined : isTranslated ? 32 : 0;
  return undefined;
}

function payloadValue({ protocol, field }: { protocol: string; field: string }, packet: Packet): Scalar | undefined {
  const { saddr, daddr, dport } = packet;
  if (protocol === "ip" || protocol === "ip6") {
    const isOther = familyOf(packet) !== (protocol === "ip" ? 4 : 6);
    if (field === "saddr") return isOther ? undefined : saddr;
    if (field === "daddr") return isOther ? undefined : daddr;
    if (field === "protocol" || field === "nexthdr") return isOther ? undefined : packet.protocol;
    return undefined;
  }
  const number = { tcp: 6, udp: 17, sctp: 132, th: packet.protocol }[protocol];
  return field === "dport" && number !== undefined && number === packet.protocol ? dport : undefined;
}

function familyOf({ saddr, daddr }: Packet): 4 | 6 | undefined {
  const address = daddr ?? saddr;
  return address === undefined ? undefined : parseAddress(address).family;
}

function elementsOf(right: unknown, elements: Elements): readonly unknown[] | undefined {
  if (typeof right === "string" && right.startsWith("@")) return elements(right.slice(1));
  if (Array.isArray(right)) return right;
  const set = z.object({ set: z.array(z.unknown()) }).safeParse(right).data?.set;
  return set ?? [right];
}

const prefixSchema = z.object({ prefix: z.object({ addr: z.string(), len: z.number() }) });
const rangeSchema = z.object({
  range: z.tuple([z.union([z.string(), z.number()]), z.union([z.string(), z.number()])]),
});
const elemSchema = z.object({ elem: z.object({ val: z.unknown() }) });

function isEqual(values: readonly Scalar[], wanted: unknown): boolean {
  const inner = elemSchema.safeParse(wanted).data?.elem.val ?? wanted;
  const parts = concatSchema.safeParse(inner).data?.concat ?? [inner];
  return parts.length === values.length && values.every((value, index) => isSame(value, parts[index]));
}

/** What nftables prints by name although it was asked for numbers. */
const NAMED: Readonly<Record<string, number>> = { ipv4: 2, ipv6: 10, tcp: 6, udp: 17, sctp: 132 };

function isSame(value: Scalar, wanted: unknown): boolean {
  if (typeof wanted === "string")
    return typeof value === "string" ? matchesName(value, wanted) : NAMED[wanted] === value;
  if (wanted === value) return true;
  const prefix = prefixSchema.safeParse(wanted).data?.prefix;
  if (prefix !== undefined) return typeof value === "string" && isWithin(value, prefix);
  const range = rangeSchema.safeParse(wanted).data?.range;
  if (range === undefined || typeof value !== "number") return false;
  const [from, to] = range.map(Number);
  return from !== undefined && to !== undefined && from <= value && value <= to;
}

/** Names of links may end with a star; addresses are compared as numbers. */
function matchesName(value: string, wanted: string): boolean {
  if (wanted.endsWith("*")) return value.startsWith(wanted.slice(0, -1));
  return value === wanted;
}

function isWithin(address: string, { addr, len }: { readonly addr: string; readonly len: number }): boolean {
  const family = addr.includes(":") ? "ipv6" : "ipv4";
  if (address.includes(":") !== addr.includes(":")) return false;
  const list = new BlockList();
  list.addSubnet(addr, len, family);
  return list.check(address, family);
}
