import type { Dns } from "../spec/spec.ts";

export interface HostsFacts {
  readonly hostname: string;
  readonly domainname: string;
  /** The container's own addresses; none in the host's network or without one. */
  readonly addresses: readonly string[];
  /** `host:address`, with `host-gateway` already replaced. */
  readonly extraHosts: readonly string[];
  /** Other containers. */
  readonly links?: readonly HostsLine[];
}

export interface HostsLine {
  readonly address: string;
  readonly names: readonly string[];
}

/** /etc/hosts as Docker writes it, see hosts(5). */
export function hostsFile(facts: HostsFacts): string {
  return lines([
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "ff00::0\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
    ...facts.extraHosts.map(extraHostLine),
    ...(facts.links ?? []).map(({ address, names }) => `${address}\t${names.join(" ")}`),
    ...facts.addresses.map((address) => addressLine(address, facts)),
  ]);
}

/** The line of one of the container's own addresses. */
export function addressLine(address: string, { hostname, domainname }: Pick<HostsFacts, "hostname" | "domainname">) {
  return `${address}\t${domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`}`;
}

export function hostnameFile(hostname: string): string {
  return lines([hostname]);
}

/** The network's own resolver, which asks those that the caller names. */
const SANDBOX_RESOLVER = "nameserver 127.0.0.11";

/** /etc/resolv.conf, see resolv.conf(5): what the caller says, else what the network gives (`fallback`). */
export function resolvConfFile(dns: Dns, fallback: string): string {
  if (dns.servers.length === 0 && dns.search.length === 0 && dns.options.length === 0) return fallback;
  const kept = fallback.split("\n").filter((line) => line.trim() !== "");
  const has = (word: string) => (line: string) => line.startsWith(`${word} `);
  const pick = (word: string, said: readonly string[]) => (said.length > 0 ? said : kept.filter(has(word)));
  // a search list of one dot means none
  const search = dns.search.length === 1 && dns.search[0] === "." ? [""] : [`search ${dns.search.join(" ")}`];
  return lines(
    [
      ...pick("nameserver", kept.includes(SANDBOX_RESOLVER) ? [] : dns.servers.map((server) => `nameserver ${server}`)),
      ...pick("search", dns.search.length > 0 ? search : []),
      ...pick("options", dns.options.length > 0 ? [`options ${dns.options.join(" ")}`] : []),
    ].filter((line) => line !== ""),
  );
}

/** `host:address`, where an IPv6 address has colons of its own and may stand in brackets. */
function extraHostLine(text: string): string {
  const end = text.search(/[:=]/);
  const address = text.slice(end + 1).replace(/^\[(.*)\]$/, "$1");
  return `${address}\t${text.slice(0, end)}`;
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}
