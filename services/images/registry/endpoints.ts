import { BlockList, isIPv4, isIPv6 } from "node:net";
import { CtlError } from "../../kit/errors.ts";
import { DEFAULT_DOMAIN } from "../reference.ts";

/** One place that serves a registry's content over the distribution API. */
export interface RegistryEndpoint {
  /** `https://registry-1.docker.io`, `http://127.0.0.1:5000`, with an optional path prefix; no trailing slash. */
  readonly url: string;
  /** TLS certificates are not verified. */
  readonly insecure: boolean;
  readonly isMirror: boolean;
}

export interface RegistrySettings {
  /** By registry (`docker.io`): endpoints tried in this order before the registry itself. */
  readonly mirrors: Readonly<Record<string, MirrorSettings>>;
  /** `HOST[:PORT]`, or a network such as 10.0.0.0/8: plain http and unverified TLS are fine there. */
  readonly insecureRegistries: readonly string[];
}

export interface MirrorSettings {
  readonly endpoints: readonly { readonly url: string; readonly insecure?: boolean }[];
  /** False where the registry itself must not be asked: a host without a way out would wait for nothing. */
  readonly askRegistry: boolean;
}

/** Docker's rule: whoever can listen on this host's loopback owns the host anyway. */
const LOOPBACK = ["127.0.0.0/8", "::1/128", "localhost"];
const DOCKER_HUB = "registry-1.docker.io";

/** Where to ask for a registry's content, in order. At least one, or INVALID_ARGUMENT REGISTRY_SETTINGS. */
export function endpointsFor(domain: string, settings: RegistrySettings): RegistryEndpoint[] {
  const mirrors = settings.mirrors[domain];
  const endpoints = (mirrors?.endpoints ?? []).map(({ url, insecure }) => ({
    url: checkedUrl(url),
    insecure: insecure ?? isInsecureHost(new URL(url).host, settings),
    isMirror: true,
  }));
  if (mirrors?.askRegistry === false) {
    if (endpoints.length === 0) throw badSettings(domain, "it has no mirror and must not be asked itself");
    return endpoints;
  }
  return [...endpoints, ...registryItself(domain, settings)];
}

/** An insecure registry speaks TLS with any certificate, or plain http: tried in this order, as Docker does. */
function registryItself(domain: string, settings: RegistrySettings): RegistryEndpoint[] {
  const host = domain === DEFAULT_DOMAIN ? DOCKER_HUB : domain;
  if (!isInsecureHost(host, settings)) return [{ url: `https://${host}`, insecure: false, isMirror: false }];
  return [
    { url: `https://${host}`, insecure: true, isMirror: false },
    { url: `http://${host}`, insecure: true, isMirror: false },
  ];
}

export function isInsecureHost(host: string, settings: RegistrySettings): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return [...LOOPBACK, ...settings.insecureRegistries].some((rule) =>
    rule.includes("/") ? isInNetwork(name, rule) : rule === host || rule === name,
  );
}

function isInNetwork(address: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const family = isIPv4(base) ? "ipv4" : "ipv6";
  const isSameFamily = family === "ipv4" ? isIPv4(address) : isIPv6(address);
  if (!isSameFamily || !/^\d{1,3}$/.test(bits)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(address, family);
}

function checkedUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search !== "" || parsed.username !== "") {
    throw badSettings(url, "a mirror is an http or https address without user and query");
  }
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`;
}

function badSettings(subject: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "REGISTRY_SETTINGS",
    what: `use the registry ${subject}`,
    why,
    fix: "correct the registries in /etc/ctl/ctl.yaml",
  });
}
