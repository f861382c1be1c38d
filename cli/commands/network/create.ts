import { CreateNetworkRequest, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { command } from "../../grammar/command.ts";
import { list, optionalToggle, parsedList, text, toggle } from "../../grammar/flags.ts";
import { parseKeyValue, parseLabel, toMap } from "../../values/key-value.ts";
import { swarmOnly } from "../../values/network-scope.ts";
import { poolsOf } from "../../values/subnets.ts";

export const createNetwork = command({
  summary: "Create a network",
  usage: "[OPTIONS] NETWORK",
  flags: {
    "aux-address": parsedList(
      { value: "map", help: "An address of the subnet that others have, NAME=ADDRESS" },
      parseKeyValue,
    ),
    attachable: toggle({ help: "Let containers be attached by hand" }),
    driver: text({ short: "d", help: "Kind of network (default bridge)" }),
    gateway: list({ help: "Address of the subnet's gateway, one for each subnet" }),
    internal: toggle({ help: "No way out of it and none in" }),
    "ip-range": list({ help: "Part of the subnet that addresses are taken from, one for each subnet" }),
    ipv4: toggle({ help: "Give it IPv4 addresses", initial: true }),
    ipv6: optionalToggle({ help: "Give it IPv6 addresses; without an IPv6 subnet a unique local one" }),
    label: parsedList({ help: "A label, KEY=VALUE" }, parseLabel),
    opt: parsedList({ short: "o", value: "map", help: "An option of the driver, KEY=VALUE" }, parseKeyValue),
    subnet: list({ help: "Subnet in CIDR form, like 10.5.0.0/24" }),
    ...swarmOnly,
  },
  least: 1,
  most: 1,
  async run({ flags, args: [name = ""] }, { daemon, stdout }) {
    const { subnet, gateway, attachable: isAttachable, internal: isInternal } = flags;
    const addresses = { subnet, gateway, ipRange: flags["ip-range"], auxAddress: toMap(flags["aux-address"]) };
    const request = CreateNetworkRequest.fromPartial({
      name,
      driver: flags.driver ?? "bridge",
      pools: poolsOf(name, addresses),
      enableIpv4: flags.ipv4,
      enableIpv6: flags.ipv6,
      isInternal,
      isAttachable,
      labels: toMap(flags.label),
      options: toMap(flags.opt),
    });
    const { network } = await daemon.unary(NetworksService.createNetwork, request);
    stdout.text(`${network?.id ?? ""}\n`);
    return 0;
  },
});
