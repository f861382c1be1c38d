import { parseAddress } from "./address.ts";
import { addressAt, offsetOf, type Subnet, sizeOf } from "./subnet.ts";

export interface AddressSpace {
  readonly subnet: Subnet;
  /** Addresses are taken from this part; left out: from the whole subnet. */
  readonly range?: Subnet;
  /** Given to nobody: the gateway, addresses in use. */
  readonly reserved: ReadonlySet<string>;
  /** The address given last: the search goes on behind it, so that a freed one rests for a round. */
  readonly after?: string;
}

/**
 * Free addresses in the order in which they are to be tried, each once, made as they are asked for; none left: the
 * network is full. Says nothing about uniqueness: the constraint on the row does, and its loser takes the next.
 */
export function* addressCandidates({ subnet, range = subnet, reserved, after }: AddressSpace): Generator<string> {
  const size = sizeOf(range);
  const start = after === undefined ? undefined : offsetOf(range, parseAddress(after));
  const first = start === undefined ? 0n : start + 1n;
  for (let i = 0n; i < size; i++) {
    const address = addressAt(range, (first + i) % size);
    if (isUsable(subnet, address) && !reserved.has(address)) yield address;
  }
}

/** The first address names the subnet (in IPv6 all its routers), IPv4's last is the broadcast; RFC 3021 spares /31 and /32. */
export function isUsable(subnet: Subnet, address: string): boolean {
  const offset = offsetOf(subnet, parseAddress(address));
  if (offset === undefined) return false;
  const size = sizeOf(subnet);
  if (size <= 2n) return true;
  return offset !== 0n && (subnet.family === 6 || offset !== size - 1n);
}
