import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { NetworkAttachment } from "../values/network.ts";
import type { ContainerFlags } from "./build.ts";

/** Networks that a container shares or lacks: there is no address to choose. */
const WITHOUT_ADDRESS = ["host", "none"];

/** The networks to connect to; --ip, --mac-address and --network-alias speak of the first. None: the default one. */
export function endpointsOf(flags: ContainerFlags, image: string): EndpointRequest[] {
  const network = [...flags.network, ...flags.net];
  const aliases = [...flags["network-alias"], ...flags["net-alias"]];
  const { ip = "" } = flags;
  const mac = flags["mac-address"] ?? "";
  const wanted: readonly NetworkAttachment[] =
    network.length > 0 ? network : [{ network: "bridge", aliases: [], ipv4Address: "", macAddress: "" }];
  const isPlain = network.length === 0 && ip === "" && mac === "" && aliases.length === 0;
  if (isPlain) return [];
  const endpoints = wanted.map((one, index) =>
    EndpointRequest.fromPartial({
      network: one.network,
      aliases: index === 0 ? [...one.aliases, ...aliases] : [...one.aliases],
      ipv4Address: one.ipv4Address || (index === 0 ? ip : ""),
      macAddress: one.macAddress || (index === 0 ? mac : ""),
    }),
  );
  for (const endpoint of endpoints) check(endpoint, endpoints.length, image);
  return endpoints;
}

function check({ network, aliases, ipv4Address, macAddress }: EndpointRequest, count: number, image: string): void {
  if (!WITHOUT_ADDRESS.includes(network)) return;
  const isAddressed = aliases.length > 0 || ipv4Address !== "" || macAddress !== "";
  if (count === 1 && !isAddressed) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: `describe a container of ${image}`,
    why: `the network "${network}" has ${isAddressed ? "no addresses or aliases to choose" : "no other beside it"}`,
    fix: "use a bridge network: ctl network create NAME",
  });
}
