import { CreateNetworkRequest, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { command } from "../../grammar/command.ts";
import { list, parsedList, text, toggle } from "../../grammar/flags.ts";
import { parseKeyValue, parseLabel, toMap } from "../../values/key-value.ts";

export const createNetwork = command({
  summary: "Create a network",
  usage: "[OPTIONS] NETWORK",
  flags: {
    attachable: toggle({ help: "Let containers be attached by hand" }),
    driver: text({ short: "d", help: "Kind of network (default bridge)" }),
    gateway: list({ help: "Address of the subnet's gateway, one for each subnet" }),
    internal: toggle({ help: "No way out of it and none in" }),
    "ip-range": list({ help: "Part of the subnet that addresses are taken from, one for each subnet" }),
    label: parsedList({ help: "A label, KEY=VALUE" }, parseLabel),
    opt: parsedList({ short: "o", value: "map", help: "An option of the driver, KEY=VALUE" }, parseKeyValue),
    subnet: list({ help: "Subnet in CIDR form, like 10.5.0.0/24" }),
  },
  least: 1,
  most: 1,
  async run({ flags, args: [name = ""] }, { daemon, stdout }) {
    const { subnet, gateway, attachable: isAttachable, internal: isInternal } = flags;
    if (gateway.length > subnet.length || flags["ip-range"].length > subnet.length) throw withoutSubnet(name);
    const pools = subnet.map((one, index) => ({
      subnet: one,
      gateway: gateway[index] ?? "",
      ipRange: flags["ip-range"][index] ?? "",
    }));
    const request = CreateNetworkRequest.fromPartial({
      name,
      driver: flags.driver ?? "bridge",
      pools,
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

function withoutSubnet(name: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SUBNET_MISSING",
    what: `create network "${name}"`,
    why: "a gateway or an address range has no subnet that it lies in",
    fix: "say --subnet for each of them",
  });
}
