import { ConnectContainerRequest, GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../../grammar/command.ts";
import { integer, list, parsedList, text } from "../../grammar/flags.ts";
import { parseKeyValue, toMap } from "../../values/key-value.ts";
import { parseLink } from "../../values/link.ts";
import { unsupported } from "../../values/unsupported.ts";

export const connectNetwork = command({
  summary: "Connect a container to a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: list({ help: "One more name of it on the network" }),
    "driver-opt": parsedList({ help: "An option of its endpoint, KEY=VALUE" }, parseKeyValue),
    "gw-priority": integer({ help: "The default route goes through the network with the highest (default 0)" }),
    ip: text({ help: "Its IPv4 address on the network" }),
    ip6: text({ help: "Its IPv6 address on the network" }),
    link: parsedList({ help: "Know another container on it by a name, CONTAINER[:ALIAS]" }, parseLink),
    "link-local-ip": unsupported(
      "A link-local address",
      "link-local addresses of one's own choice are not supported: an IPv6 interface makes its own",
      "leave it out, or name an address of the network with --ip",
    ),
  },
  least: 2,
  most: 2,
  async run({ flags, args: [network = "", ref = ""] }, { daemon, stderr }) {
    const request = ConnectContainerRequest.fromPartial({
      ref,
      endpoint: {
        network,
        aliases: [...flags.alias],
        ipv4Address: flags.ip ?? "",
        ipv6Address: flags.ip6 ?? "",
        gwPriority: flags["gw-priority"] ?? 0,
        driverOptions: toMap(flags["driver-opt"]),
        links: [...flags.link],
      },
    });
    const { warnings } = await daemon.unary(GatewayService.connectContainer, request);
    for (const warning of warnings) stderr.text(`WARNING: ${warning}\n`);
    return 0;
  },
});
