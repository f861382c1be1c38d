import { csvFields } from "./csv.ts";
import { invalid } from "./invalid.ts";
import { toMap } from "./key-value.ts";

export interface NetworkAttachment {
  /** Name or id; `bridge`, `host` and `none` are built in. */
  readonly network: string;
  readonly aliases: readonly string[];
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly macAddress: string;
  readonly gwPriority: number;
  readonly driverOptions: Readonly<Record<string, string>>;
}

const PLAIN: NetworkAttachment = {
  ...{ network: "", aliases: [], ipv4Address: "", ipv6Address: "", macAddress: "" },
  gwPriority: 0,
  driverOptions: {},
};

/**
 * Docker's `--network`: a name, or `name=mynet,alias=web,ip=10.0.0.5,ip6=fd00::5,mac-address=…,gw-priority=1,driver-opt=K=V`.
 * NETWORK_INVALID.
 */
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
    case "gw-priority":
      if (!/^[+-]?\d+$/.test(value))
        throw invalid("NETWORK_INVALID", given, `invalid gw-priority ("${value}")`, "gw-priority=1");
      return { gwPriority: Number(value) };
    case "driver-opt":
      if (!/^[^=]+=/.test(value))
        throw invalid("NETWORK_INVALID", given, `"${value}" is no key=value`, "driver-opt=KEY=VALUE");
      return { driverOptions: { ...before.driverOptions, ...toMap([value]) } };
    case "link-local-ip":
      throw invalid(
        "NETWORK_INVALID",
        given,
        "link-local addresses of one's own choice are not supported",
        "leave it out",
      );
    default:
      throw invalid("NETWORK_INVALID", given, `invalid field ${key}`, FIELDS);
  }
}

const FIELDS = "name=…,alias=…,ip=…,ip6=…,mac-address=…,gw-priority=…,driver-opt=…";

function networkName(name: string, given: string): string {
  if (name === "") throw invalid("NETWORK_INVALID", given, "network name must be specified");
  return name === "default" ? "bridge" : name;
}
