import { isIP } from "node:net";
import { CtlError } from "../../kit/errors.ts";

export const FAMILIES = [4, 6] as const;
export type Family = (typeof FAMILIES)[number];

export interface Address {
  readonly family: Family;
  /** In network order: 4 or 16 bytes. */
  readonly bytes: Buffer;
}

/** An IPv4 or IPv6 address from text, without a zone. Throws INVALID_ARGUMENT ADDRESS_INVALID. */
export function parseAddress(text: string): Address {
  const family = isIP(text);
  if (family === 4) return { family: 4, bytes: Buffer.from(text.split(".").map(Number)) };
  if (family === 6 && !text.includes("%")) return { family: 6, bytes: parseIpv6(text) };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "ADDRESS_INVALID",
    what: `read the address "${text}"`,
    why: "it is neither an IPv4 nor an IPv6 address",
    fix: "write it like 172.17.0.2 or fd00::2",
  });
}

/** Of an address or a subnet that has been parsed. */
export function familyOf(text: string): Family {
  return text.includes(":") ? 6 : 4;
}

/** Text of an address; IPv6 as RFC 5952 section 4 has it: lower case, the longest run of zeros shortened. */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const buffer = Buffer.from(bytes);
  const groups = Array.from({ length: 8 }, (_, i) => buffer.readUInt16BE(i * 2));
  const zeros = longestZeros(groups);
  const hex = (some: readonly number[]) => some.map((group) => group.toString(16)).join(":");
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

export function addressToInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

export function integerToAddress(value: bigint, family: 4 | 6): Buffer {
  const bytes = family === 4 ? 4 : 16;
  return Buffer.from(value.toString(16).padStart(bytes * 2, "0"), "hex");
}

function parseIpv6(text: string): Buffer {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const plain = dotted === null ? text : `${dotted[1]}${dottedAsGroups(dotted[2] ?? "")}`;
  const [head = "", tail] = plain.split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const middle = new Array<number>(8 - before.length - after.length).fill(0);
  const bytes = Buffer.alloc(16);
  for (const [i, group] of [...before, ...middle, ...after].entries()) bytes.writeUInt16BE(group, i * 2);
  return bytes;
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function dottedAsGroups(dotted: string): string {
  const bytes = Buffer.from(dotted.split(".").map(Number));
  return `${bytes.readUInt16BE(0).toString(16)}:${bytes.readUInt16BE(2).toString(16)}`;
}

function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length++;
    if (length > longest.length) longest = { start, length };
  }
  return longest;
}
