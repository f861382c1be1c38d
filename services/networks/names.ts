import { createHash } from "node:crypto";

/** The instance's names on the host. Link names have at most 15 characters (IFNAMSIZ), instances up to 16. */
export interface HostNames {
  /** nftables table of family inet. */
  readonly table: string;
  /** The bridge of the built-in network. */
  readonly defaultBridge: string;
  /** What the host's ends of our veth pairs begin with. */
  readonly vethPrefix: string;
  /** What our bridges' aliases begin with; the network's id follows. */
  readonly aliasPrefix: string;
}

const DEFAULT_INSTANCE = "ctl";
const LINK_NAME_LENGTH = 15;

/** `ctl`, `ctl0`, `ctlv…` for the usual instance; others have names of their own, so that several live on one host. */
export function hostNames(instance: string): HostNames {
  const aliasPrefix = `ctl/${instance}/`;
  if (instance === DEFAULT_INSTANCE) {
    return { table: "ctl", defaultBridge: "ctl0", vethPrefix: "ctlv", aliasPrefix };
  }
  const digest = createHash("sha256").update(instance).digest("hex").slice(0, 5);
  return {
    table: `ctl_${instance.replaceAll("-", "_")}`, // the prefix keeps clear of nft's keywords
    defaultBridge: `cb${digest}-0`,
    vethPrefix: `cv${digest}`,
    aliasPrefix,
  };
}

/** Docker's form for the bridge of a user's network: the first 12 digits of its id. */
export function bridgeName(networkId: string): string {
  return `br-${networkId.slice(0, 12)}`;
}

/** The host's end of a veth pair, from at least 12 hexadecimal digits that nobody else has. */
export function vethName(names: HostNames, hex: string): string {
  return `${names.vethPrefix}${hex}`.slice(0, LINK_NAME_LENGTH);
}

/** Whether a link of the host was made by this instance. */
export function isOurs(names: HostNames, link: { readonly name: string; readonly alias: string }): boolean {
  return link.alias.startsWith(names.aliasPrefix) || link.name.startsWith(names.vethPrefix);
}
