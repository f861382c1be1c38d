import { type BridgeRules, bridgeElements, hairpinChain } from "./bridges.ts";
import { PASS_CHAIN } from "./mark.ts";
import { type PortRule, portElements } from "./ports.ts";
import { USER_CHAIN } from "./user-rules.ts";

/** All that the table says. */
export interface TableState {
  readonly bridges: readonly BridgeRules[];
  readonly ports: readonly PortRule[];
  /**
   * The host forwarded nothing before we turned that on for our bridges: then what neither comes from one of them nor
   * goes to one is dropped, else we would have made the host a router for its neighbours.
   */
  readonly isForwardingGuarded: boolean;
  /** The same for IPv6. */
  readonly isForwarding6Guarded: boolean;
}

/** The state, and what is none of ours in the table: the rules of its user's chain. */
export interface WholeTable extends TableState {
  readonly userRules: readonly string[];
}

/** One transaction that leaves exactly this state, whatever was in the table. Tracked connections go on. */
export function rebuildScript(table: string, state: WholeTable): string {
  return [
    `add table inet ${table}`,
    `delete table inet ${table}`,
    `table inet ${table} {`,
    SETS,
    LOOPBACK,
    PUBLISHED,
    MASQUERADE,
    `chain ${USER_CHAIN} {\n${state.userRules.join("\n")}\n}`,
    PASS_CHAIN,
    forwardChain(state),
    ...state.bridges.map((bridge) => `chain ${hairpinChain(bridge.name)} {\n${hairpinRules(bridge).join("\n")}\n}`),
    "}",
    ...bridgeElements("add", table, state.bridges),
    ...portElements("add", table, state.ports),
    "",
  ].join("\n");
}

/** Done again it changes nothing; a subnet that the bridge no longer has stays until `removeBridgeScript`. */
export function addBridgeScript(table: string, bridge: BridgeRules): string {
  const chain = hairpinChain(bridge.name);
  return [
    `add chain inet ${table} ${chain}`,
    `flush chain inet ${table} ${chain}`,
    ...hairpinRules(bridge).map((rule) => `add rule inet ${table} ${chain} ${rule}`),
    ...bridgeElements("add", table, [bridge]),
    "",
  ].join("\n");
}

/** A bridge that is not there is no error: it is added first. */
export function removeBridgeScript(table: string, bridge: BridgeRules): string {
  const chain = hairpinChain(bridge.name);
  return [
    addBridgeScript(table, bridge),
    ...bridgeElements("delete", table, [bridge]),
    `flush chain inet ${table} ${chain}`,
    `delete chain inet ${table} ${chain}`,
    "",
  ].join("\n");
}

/** Deletes the table; none is no error. */
export function removeTableScript(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`;
}

const SETS = `
set bridges { type ifname; }
set internal_bridges { type ifname; }
set same_bridge { type ifname . ifname; }
set unprotected { type ifname; }
set unprotected6 { type ifname; }
set routed { type ifname; }
set routed6 { type ifname; }
set opened { type ipv4_addr . inet_proto . inet_service; }
set opened6 { type ipv6_addr . inet_proto . inet_service; }
set masqueraded { type ipv4_addr; flags interval; }
set masqueraded6 { type ipv6_addr; flags interval; }
map hairpins { type ifname : verdict; }
map published_by_address { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
map published6_by_address { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
map published6 { type inet_proto . inet_service : ipv6_addr . inet_service; }`;

/**
 * Our bridges have route_localnet, so a container, and by a published port's translation also a neighbour on the wire,
 * could reach the host's loopback services with 127.0.0.1 as the destination, or be believed with it as the source.
 * Before conntrack (raw), where an answer to a translated loopback connection still has its gateway's address.
 * The kernel does the same for ::1 by itself, before any hook.
 */
const LOOPBACK = `
chain loopback {
  type filter hook prerouting priority raw; policy accept;
  iifname != "lo" ip daddr 127.0.0.0/8 drop
  iifname != "lo" ip saddr 127.0.0.0/8 drop
}`;

/** The maps make a packet's cost, and a change's, independent of the number of ports; nat sees a flow's first packet only.
 * What goes to ::1 would get no answer (there is no route_localnet of IPv6): ports/forwarders.ts carries it. */
const PUBLISHED = `
chain prerouting {
  type nat hook prerouting priority dstnat; policy accept;
  fib daddr type local jump published_ports
}
chain output {
  type nat hook output priority -100; policy accept;
  fib daddr type local jump published_ports
}
chain published_ports {
  ip6 daddr ::1 return
  dnat ip to ip daddr . meta l4proto . th dport map @published_by_address
  dnat ip to meta l4proto . th dport map @published
  dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_by_address
  dnat ip6 to meta l4proto . th dport map @published6
}`;

/** Between bridges addresses stay as they are, so that a container sees who calls its published port. */
const MASQUERADE = `
chain postrouting {
  type nat hook postrouting priority srcnat; policy accept;
  oifname vmap @hairpins
  oifname != @bridges ip saddr @masqueraded masquerade
  oifname != @bridges ip6 saddr @masqueraded6 masquerade
}`;

/**
 * Who may reach a container: its own bridge, and from anywhere else what was translated for a published port. An accept
 * here ends this table only: what ufw or firewalld drop in theirs stays dropped.
 */
function forwardChain({ isForwardingGuarded, isForwarding6Guarded }: TableState): string {
  return `
chain forward {
  type filter hook forward priority filter; policy accept;
  jump ${USER_CHAIN}
  ct state established,related accept
  iifname . oifname @same_bridge accept
  iifname @internal_bridges drop
  oifname @internal_bridges drop
  oifname @bridges ct status dnat accept
  oifname @unprotected meta nfproto ipv4 accept
  oifname @unprotected6 meta nfproto ipv6 accept
  oifname @routed ip protocol 1 accept
  oifname @routed6 meta l4proto 58 accept
  oifname @routed ip daddr . meta l4proto . th dport @opened accept
  oifname @routed6 ip6 daddr . meta l4proto . th dport @opened6 accept
  oifname @bridges drop
  ${isForwardingGuarded ? "meta nfproto ipv4 iifname != @bridges drop" : ""}
  ${isForwarding6Guarded ? "meta nfproto ipv6 iifname != @bridges drop" : ""}
}`;
}

/**
 * Who calls a published port from the same bridge, or from the host, is shown as the gateway: the container would answer
 * the first one directly, past the translation, and 127.0.0.1 would be itself. By the bridge's subnet, not its name:
 * with bridge-nf-call-iptables the bridge turns such packets back itself, and then postrouting knows no input link.
 */
function hairpinRules(bridge: BridgeRules): string[] {
  const sources = bridge.subnets.map((subnet) => `${subnet.includes(":") ? "ip6" : "ip"} saddr ${subnet}`);
  return [...sources, "fib saddr type local"].map((source) => `ct status dnat ${source} masquerade`);
}
