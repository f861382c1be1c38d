import { NetworksService, RemoveNetworkRequest } from "#proto/ctl/networks/v1/networks.ts";
import { eachArgument } from "../../each-argument.ts";
import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";

export const removeNetworks = command({
  summary: "Remove one or more networks",
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: { force: toggle({ short: "f", help: "One that does not exist is no failure" }) },
  least: 1,
  run: ({ flags: { force }, args }, context) =>
    eachArgument(args, context, async (ref) => {
      await context.daemon.unary(NetworksService.removeNetwork, RemoveNetworkRequest.fromPartial({ ref, force }));
      return ref;
    }),
});
