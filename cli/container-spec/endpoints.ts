import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { type NetworkAttachment, parseNetwork } from "../values/network.ts";
import type { ContainerFlags } from "./build.ts";

/** Networks that a container shares or lacks: there is no address to choose. */
const WITHOUT_ADDRESS = ["host", "none"];

/** The networks to connect to; --ip, --ip6, --mac-address and --network-alias speak of the first. None: the default one. */
export function endpointsOf(flags: ContainerFlags, image: string): EndpointRequest[] {
  const network = [...flags.network, ...flags.net];
  const aliases = [...flags["network-alias"], ...flags["net-alias"]];
  const { ip = "", ip6 = "" } = flags;
  const mac = flags["mac-address"] ?? "";
  const wanted: readonly NetworkAttachment[] = network.length > 0 ? network : [parseNetwork("bridge")];
  const isPlain = network.length === 0 && ip === "" && ip6 === "" && mac === "" && aliases.length === 0;
  if (isPlain) return [];
  const endpoints = wanted.map((one, index) =>
    EndpointRequest.fromPartial({
      network: one.network,
      aliases: index === 0 ? [...one.aliases, ...aliases] : [...one.aliases],
      ipv4Address: one.ipv4Address || (index === 0 ? ip : ""),
      ipv6Address: one.ipv6Address || (index === 0 ? ip6 : ""),
      macAddress: one.macAddress || (index === 0 ? mac : ""),
      gwPriority: one.gwPriority,
      driverOptions: one.driverOptions,
    }),
  );
  for (const endpoint of endpoints) check(endpoint, endpoints.length, image);
  return endpoints;
}

function check(endpoint: EndpointRequest, count: number, image: string): void {
  const { network, aliases, ipv4Address, ipv6Address, macAddress } = endpoint;
  if (!WITHOUT_ADDRESS.includes(network)) return;
  const isAddressed = aliases.length > 0 || `${ipv4Address}${ipv6Address}${macAddress}` !== "";
  if (count === 1 && !isAddressed) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: `describe a container of ${image}`,
    why: `the network "${network}" has ${isAddressed ? "no addresses or aliases to choose" : "no other beside it"}`,
    fix: "use a bridge network: ctl network create NAME",
  });
}
