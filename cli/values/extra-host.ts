import { invalid } from "./invalid.ts";
import { ipVersion } from "./ip.ts";

/** Docker's `--add-host`: `name:address`, `name=address`, `name:host-gateway`; as `name:address`. EXTRA_HOST_INVALID. */
export function parseExtraHost(given: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(given);
  const address = (match?.[2] ?? "").replace(/^\[(.*)\]$/, "$1");
  if (match !== null && (address === "host-gateway" || ipVersion(address) !== 0)) return `${match[1]}:${address}`;
  const why = match === null ? `bad format for add-host: "${given}"` : `invalid IP address in add-host: "${address}"`;
  throw invalid(
    "EXTRA_HOST_INVALID",
    given,
    why,
    "NAME:ADDRESS, for example db:10.0.0.5 or host.internal:host-gateway",
  );
}
