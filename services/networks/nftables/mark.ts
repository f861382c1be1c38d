import type { ChainName } from "./verdict.ts";

/**
 * The bit that our table sets in the mark of what it lets pass: connections translated for a published port, and what
 * stays on one bridge. Other tables cannot see our sets, and `ct status dnat` would let pass what others translate; in a
 * table of iptables it also makes iptables itself refuse to work ("incompatible, use 'nft' tool": tried), a mark does
 * not. The kernel clears it where a packet comes from or goes to another network namespace: nobody forges it.
 */
export const PASS_MARK = 0x2000000;

/** Before every other chain that filters what is forwarded. */
export const PASS_CHAIN = `
chain pass {
  type filter hook forward priority -400; policy accept;
  iifname . oifname @same_bridge meta mark set meta mark or ${PASS_MARK} return
  oifname @bridges ct status dnat meta mark set meta mark or ${PASS_MARK} return
  iifname @bridges ct status dnat meta mark set meta mark or ${PASS_MARK}
}`;

/** With a counter, as every rule of iptables has one: without it iptables does not know the rule. */
export const PASS_RULE = `meta mark and ${hex(PASS_MARK)} == ${hex(PASS_MARK)} counter accept`;

/** What a person types. */
export function openCommand({ family, table, chain }: ChainName): string {
  return `nft insert rule ${family} ${table} ${chain} ${PASS_RULE}`;
}

/** By which our rule in a table of somebody else's is known. */
export function passComment(table: string): string {
  return `${table}: published ports`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
