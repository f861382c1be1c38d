import { readFile } from "node:fs/promises";
import { DNS_ADDRESS } from "../dns/address.ts";

export interface ResolvConf {
  readonly text: string;
  /** The host's resolvers are of no use inside a sandbox, and no others are known. */
  readonly warning: string | undefined;
}

const HOST_FILE = "/etc/resolv.conf";
/** Where systemd-resolved, which itself answers on the host's loopback, lists the resolvers that it asks. */
const RESOLVED_FILE = "/run/systemd/resolve/resolv.conf";

export interface HostResolvers {
  /** The host's resolv.conf as it is: for containers that share its network. */
  readonly own: string;
  /** The one that names resolvers outside of the host, where there is one. */
  readonly outside: string;
}

/** Never fails: a file that is not there is empty. */
export async function hostResolvers(): Promise<HostResolvers> {
  const own = await readOrEmpty(HOST_FILE);
  return { own, outside: hasOutsideResolver(own) ? own : (await readOrEmpty(RESOLVED_FILE)) || own };
}

/**
 * resolv.conf(5) for a sandbox: without resolvers that it cannot reach, on the host's loopback and in IPv6, which sandboxes
 * have not. Docker falls back to a public resolver where none is left; we say so instead.
 */
export function filteredResolvConf(text: string): ResolvConf {
  const lines = text.split("\n").filter((line) => {
    const resolver = resolverOf(line);
    return resolver === undefined || isReachable(resolver);
  });
  const filtered = lines.join("\n").trim();
  const isEmpty = !lines.some((line) => resolverOf(line) !== undefined);
  return {
    text: filtered === "" ? "" : `${filtered}\n`,
    warning: isEmpty
      ? `the container has no DNS resolver: ${HOST_FILE} names none that it can reach; name one with --dns`
      : undefined,
  };
}

/**
 * resolv.conf(5) for a sandbox with a resolver of its own, which asks the host's: search list and options are the host's,
 * and names without a dot are asked for as they are, since containers have such.
 */
export function sandboxResolvConf(hostText: string): ResolvConf {
  const lines = hostText.split("\n").map((line) => line.trim());
  const options = lines.flatMap((line) => (/^options\s/.test(line) ? line.split(/\s+/).slice(1) : []));
  const kept = options.filter((option) => !option.startsWith("ndots:") && option !== "rotate");
  const search = lines.findLast((line) => /^(search|domain)\s/.test(line))?.replace(/^\w+\s+/, "search ");
  const text = [
    `nameserver ${DNS_ADDRESS}`,
    ...(search === undefined ? [] : [search]),
    `options ${[...kept, "ndots:0"].join(" ")}`,
  ];
  const hasResolver = lines.some((line) => resolverOf(line) !== undefined);
  return {
    text: `${text.join("\n")}\n`,
    warning: hasResolver
      ? undefined
      : `the container resolves no outside names: ${HOST_FILE} of the host names no resolver; name one with --dns`,
  };
}

function hasOutsideResolver(text: string): boolean {
  return text
    .split("\n")
    .map(resolverOf)
    .some((resolver) => resolver !== undefined && isReachable(resolver));
}

function resolverOf(line: string): string | undefined {
  return /^\s*nameserver\s+(\S+)/.exec(line)?.[1];
}

function isReachable(resolver: string): boolean {
  return !resolver.startsWith("127.") && !resolver.includes(":");
}

function readOrEmpty(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
