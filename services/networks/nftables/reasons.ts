import { HAIRPIN_CHAINS } from "./bridges.ts";
import { USER_CHAIN } from "./user-rules.ts";

interface Reason {
  readonly chain: RegExp;
  readonly text: RegExp;
  readonly why: string;
}

/** What people are told about each rule of our table; of several that fit the first. */
const REASONS: readonly Reason[] = [
  {
    chain: /^loopback$/,
    text: /./,
    why: "nobody on the wire reaches the host's loopback services, or is believed to be the host",
  },
  {
    chain: /^(prerouting|output)$/,
    text: /jump/,
    why: "what is sent to one of the host's addresses may be for a published port",
  },
  { chain: /^published_ports$/, text: /::1 return/, why: "what is sent to ::1 is carried by the service" },
  { chain: /^published_ports$/, text: /_by_address/, why: "ports published on one address lead to their container" },
  { chain: /^published_ports$/, text: /./, why: "ports published on all addresses lead to their container" },
  {
    chain: /^postrouting$/,
    text: /@hairpins/,
    why: "callers from the same bridge or from the host are shown as the gateway: answers to them come back by the host",
  },
  { chain: /^postrouting$/, text: /masquerade/, why: "outside a container appears with the host's address" },
  { chain: new RegExp(`^${HAIRPIN_CHAINS}`), text: /./, why: "shown as the gateway of this bridge, see postrouting" },
  { chain: /^pass$/, text: /@same_bridge/, why: "marked for rules of others: it stays on one bridge" },
  { chain: /^pass$/, text: /./, why: "marked for rules of others: it was translated for a published port" },
  { chain: /^forward$/, text: /jump user/, why: "the host's owner decides first" },
  { chain: /^forward$/, text: /established/, why: "connections that were let through go on" },
  { chain: /^forward$/, text: /@same_bridge/, why: "containers on one bridge reach each other" },
  {
    chain: /^forward$/,
    text: /@internal_bridges/,
    why: "nothing passes between an internal network and anywhere else",
  },
  {
    chain: /^forward$/,
    text: /@unprotected/,
    why: "the network's gateway mode is nat-unprotected: its ports are all open",
  },
  {
    chain: /^forward$/,
    text: /@opened/,
    why: "the network is routed: published ports are open at the container's address",
  },
  { chain: /^forward$/, text: /@routed/, why: "the network is routed: who cannot be reached is told so" },
  { chain: /^forward$/, text: /dnat accept/, why: "what was translated for a published port may come in" },
  { chain: /^forward$/, text: /oifname @bridges drop/, why: "a container's own address is not reached from elsewhere" },
  {
    chain: /^forward$/,
    text: /iifname != @bridges drop/,
    why: "the host forwarded nothing before ctl: it is no router for its neighbours",
  },
];

/** Empty: it is not ours but the host's owner's. */
export function reasonOf(chain: string, text: string): string {
  if (chain === USER_CHAIN) return "";
  const known = REASONS.find((one) => one.chain.test(chain) && one.text.test(text));
  return known?.why ?? "kept by ctl";
}
