import { csvFields } from "./csv.ts";
import { invalid } from "./invalid.ts";

export interface NetworkAttachment {
  /** Name or id; `bridge`, `host` and `none` are built in. */
  readonly network: string;
  readonly aliases: readonly string[];
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly macAddress: string;
}

const PLAIN: NetworkAttachment = { network: "", aliases: [], ipv4Address: "", ipv6Address: "", macAddress: "" };

/** Docker's `--network`: a name, or `name=mynet,alias=web,ip=10.0.0.5,ip6=fd00::5,mac-address=…`. NETWORK_INVALID. */
export function parseNetwork(given: string): NetworkAttachment {
  if (!given.includes("=")) return { ...PLAIN, network: networkName(given, given) };
  let attachment = PLAIN;
  for (const field of csvFields(given)) {
    const [key = "", value = ""] = field.split(/=(.*)/s);
    attachment = { ...attachment, ...readField(key.trim().toLowerCase(), value, attachment, given) };
  }
  return { ...attachment, network: networkName(attachment.network, given) };
}

function readField(key: string, value: string, before: NetworkAttachment, given: string): Partial<NetworkAttachment> {
  switch (key) {
    case "name":
      return { network: value };
    case "alias":
      return { aliases: [...before.aliases, value] };
    case "ip":
      return { ipv4Address: value };
    case "ip6":
      return { ipv6Address: value };
    case "mac-address":
      return { macAddress: value };
    default:
      throw invalid("NETWORK_INVALID", given, `invalid field ${key}`, "name=…,alias=…,ip=…,ip6=…,mac-address=…");
  }
}

function networkName(name: string, given: string): string {
  if (name === "") throw invalid("NETWORK_INVALID", given, "network name must be specified");
  if (!name.startsWith("container:")) return name === "default" ? "bridge" : name;
  throw invalid(
    "NETWORK_INVALID",
    given,
    "sharing another container's network is not available yet",
    "use a network of both",
  );
}
