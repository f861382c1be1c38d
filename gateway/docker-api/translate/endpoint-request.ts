import type * as z from "zod";
import { EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { invalidRequest } from "../query.ts";
import { goInteger, goObject, goString, goStringMap, goStrings } from "./go-json.ts";

/** What Docker calls EndpointSettings, as far as a client says something with it. */
export const endpointSettingsBody = goObject({
  IPAMConfig: goObject({ IPv4Address: goString, IPv6Address: goString, LinkLocalIPs: goStrings }),
  Aliases: goStrings,
  Links: goStrings,
  MacAddress: goString,
  DriverOpts: goStringMap,
  GwPriority: goInteger,
});

export type EndpointSettingsBody = z.infer<typeof endpointSettingsBody>;

/** What a container wants on a network. */
export function endpointRequest(network: string, settings: EndpointSettingsBody | undefined): EndpointRequest {
  if (settings === undefined) return EndpointRequest.fromPartial({ network });
  const { IPAMConfig, Aliases, Links, MacAddress, DriverOpts, GwPriority } = settings;
  if (IPAMConfig.LinkLocalIPs.length > 0) throw invalidRequest("link-local addresses are not supported");
  return EndpointRequest.fromPartial({
    network,
    aliases: Aliases,
    ipv4Address: IPAMConfig.IPv4Address,
    ipv6Address: IPAMConfig.IPv6Address,
    macAddress: MacAddress,
    links: Links,
    driverOptions: DriverOpts,
    gwPriority: GwPriority,
  });
}
