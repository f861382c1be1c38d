import { invalid } from "./invalid.ts";
import { ipVersion } from "./ip.ts";

/** Docker's `--dns`: an address. DNS_INVALID. */
export function parseDnsServer(given: string): string {
  const address = given.trim();
  if (ipVersion(address) !== 0) return address;
  throw invalid("DNS_INVALID", given, `IP address is not correctly formatted: ${given}`, "an IPv4 or IPv6 address");
}

/** Docker's `--dns-search`: a domain, or `.` for none. DNS_INVALID. */
export function parseDnsSearch(given: string): string {
  const domain = given.trim();
  const isDomain = domain.length <= 255 && /^([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?\.?)+$/.test(domain);
  if (domain === "." || (isDomain && /[a-zA-Z]/.test(domain))) return domain;
  throw invalid("DNS_INVALID", given, `invalid domain: ${given}`, "a domain as example.com, or . for none");
}
