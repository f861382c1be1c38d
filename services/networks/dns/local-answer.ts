import { isIP } from "node:net";
import packet, { type Answer } from "dns-packet";
import { type Asker, coversAddress } from "./asker.ts";
import { bareAnswer, type Query, Rcode } from "./wire.ts";
import type { Zone } from "./zone.ts";

const TYPE_A = 1;
const TYPE_PTR = 12;
const TYPE_AAAA = 28;
const TYPE_ANY = 255;
const CLASS_IN = 1;
/** Seconds. A name follows its container at once; who asks every second asks us, not a network. */
const TTL = 1;
const FLAG_AUTHORITATIVE = 0x0400;
const FLAG_RECURSION_AVAILABLE = 0x0080;

/**
 * What the networks themselves answer: names of containers and, in reverse, their addresses. A name that is theirs is
 * never asked of anybody else, whatever the type. Undefined: it is none of theirs.
 */
export function answerLocally(message: Buffer, query: Query, asker: Asker, zone: Zone): Buffer | undefined {
  if (query.class !== CLASS_IN) return undefined;
  if (query.type === TYPE_PTR) return answerReverse(message, query, asker, zone);
  const addresses = zone.addressesOf(asker.named, query.name);
  if (addresses === undefined) return undefined;
  if (addresses.length === 0) return bareAnswer(message, query, Rcode.noSuchName);
  const answers = addresses.flatMap((address) => addressRecord(query, address));
  return answers.length === 0 ? bareAnswer(message, query, Rcode.ok) : encode(message, query, answers);
}

function addressRecord({ name, type }: Query, address: string): Answer[] {
  const isWanted = (wanted: number) => type === wanted || type === TYPE_ANY;
  if (isIP(address) === 6) return isWanted(TYPE_AAAA) ? [{ type: "AAAA", name, ttl: TTL, data: address }] : [];
  return isWanted(TYPE_A) ? [{ type: "A", name, ttl: TTL, data: address }] : [];
}

/** An address of our own networks that nobody has is nobody's: no resolver outside is told of it. */
function answerReverse(message: Buffer, query: Query, asker: Asker, zone: Zone): Buffer | undefined {
  const address = reversedAddress(query.name);
  if (address === undefined) return undefined;
  const name = zone.nameOf(asker.named, address);
  if (name !== undefined) return encode(message, query, [{ type: "PTR", name: query.name, ttl: TTL, data: name }]);
  return coversAddress(asker, address) ? bareAnswer(message, query, Rcode.noSuchName) : undefined;
}

/** `4.3.2.1.in-addr.arpa` and RFC 3596's nibbles; undefined: neither. */
export function reversedAddress(name: string): string | undefined {
  const labels = name.toLowerCase().split(".").reverse();
  if (labels[0] !== "arpa") return undefined;
  const parts = labels.slice(2);
  const text = labels[1] === "in-addr" ? parts.join(".") : labels[1] === "ip6" ? ipv6Of(parts) : "";
  return isIP(text) === 0 ? undefined : text;
}

function ipv6Of(nibbles: readonly string[]): string {
  if (nibbles.length !== 32) return "";
  const groups = nibbles.join("").match(/.{4}/g) ?? [];
  const host = `[${groups.join(":")}]`;
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname.slice(1, -1) : "";
}

function encode(message: Buffer, query: Query, answers: Answer[]): Buffer {
  const encoded = packet.encode({
    type: "response",
    id: query.id,
    flags: (message.readUInt16BE(2) & 0x0100) | FLAG_AUTHORITATIVE | FLAG_RECURSION_AVAILABLE,
    answers,
  });
  // the question as it was asked, letter for letter, in front of the records: neither side compresses names
  const header = Buffer.from(encoded.subarray(0, 12));
  header.writeUInt16BE(1, 4);
  return Buffer.concat([header, message.subarray(12, query.end), encoded.subarray(12)]);
}
