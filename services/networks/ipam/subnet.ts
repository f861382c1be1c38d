import { CtlError } from "../../kit/errors.ts";
import { type Address, addressToInteger, formatAddress, integerToAddress, parseAddress } from "./address.ts";

export interface Subnet {
  readonly family: 4 | 6;
  /** The network's own address: its first. */
  readonly bytes: Buffer;
  readonly prefix: number;
}

/** A subnet in CIDR form without host bits. Throws INVALID_ARGUMENT SUBNET_INVALID, or ADDRESS_INVALID for its address. */
export function parseSubnet(text: string): Subnet {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (match === null) throw subnetInvalid(text, "it is not written as ADDRESS/BITS");
  const { family, bytes } = parseAddress(match[1] ?? "");
  const prefix = Number(match[2]);
  if (prefix > bitsOf(family)) throw subnetInvalid(text, `an IPv${family} prefix has at most ${bitsOf(family)} bits`);
  const subnet = subnetOf({ family, bytes }, prefix);
  if (!subnet.bytes.equals(bytes)) throw subnetInvalid(text, `it has host bits: ${formatSubnet(subnet)} is meant`);
  return subnet;
}

/** The subnet of this many bits that an address is in. */
export function subnetOf({ family, bytes }: Address, prefix: number): Subnet {
  const hostBits = BigInt(bitsOf(family) - prefix);
  const first = (addressToInteger(bytes) >> hostBits) << hostBits;
  return { family, bytes: integerToAddress(first, family), prefix };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.bytes)}/${subnet.prefix}`;
}

/** How many addresses the subnet has, with its first and last. */
export function sizeOf(subnet: Subnet): bigint {
  return 1n << BigInt(bitsOf(subnet.family) - subnet.prefix);
}

/** The address at an offset from the subnet's first. The caller keeps it below `sizeOf`. */
export function addressAt(subnet: Subnet, offset: bigint): string {
  return formatAddress(integerToAddress(addressToInteger(subnet.bytes) + offset, subnet.family));
}

/** Where in the subnet an address is; undefined: outside. */
export function offsetOf(subnet: Subnet, address: Address): bigint | undefined {
  if (address.family !== subnet.family) return undefined;
  const offset = addressToInteger(address.bytes) - addressToInteger(subnet.bytes);
  return offset >= 0n && offset < sizeOf(subnet) ? offset : undefined;
}

/** The first address names the subnet (in IPv6 all its routers), IPv4's last is the broadcast; RFC 3021 spares /31 and /32. */
export function isUsable(subnet: Subnet, address: string): boolean {
  const offset = offsetOf(subnet, parseAddress(address));
  if (offset === undefined) return false;
  const size = sizeOf(subnet);
  if (size <= 2n) return true;
  return offset !== 0n && (subnet.family === 6 || offset !== size - 1n);
}

export function containsSubnet(outer: Subnet, inner: Subnet): boolean {
  return inner.prefix >= outer.prefix && offsetOf(outer, inner) !== undefined;
}

/** Two subnets overlap exactly when one holds the other. */
export function overlaps(one: Subnet, other: Subnet): boolean {
  return containsSubnet(one, other) || containsSubnet(other, one);
}

/** First and last address that can be given to somebody, of a part of the subnet. Undefined: it has none. */
export function usableBounds(subnet: Subnet, range: Subnet): { first: string; last: string } | undefined {
  const size = sizeOf(range);
  const end = size - 1n;
  const first = [0n, 1n].filter((offset) => offset < size).find((offset) => isUsable(subnet, addressAt(range, offset)));
  const last = [end, end - 1n]
    .filter((offset) => offset >= 0n)
    .find((offset) => isUsable(subnet, addressAt(range, offset)));
  if (first === undefined || last === undefined || first > last) return undefined;
  return { first: addressAt(range, first), last: addressAt(range, last) };
}

function bitsOf(family: 4 | 6): number {
  return family === 4 ? 32 : 128;
}

function subnetInvalid(text: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SUBNET_INVALID",
    what: `read the subnet "${text}"`,
    why,
    fix: "write it like 172.20.0.0/16",
  });
}
