import { DisconnectContainerRequest, GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";

export const disconnectNetwork = command({
  summary: "Disconnect a container from a network",
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: { force: toggle({ short: "f", help: "Also from a network, or of a container, that is gone" }) },
  least: 2,
  most: 2,
  async run({ flags: { force }, args: [network = "", ref = ""] }, { daemon }) {
    const request = DisconnectContainerRequest.fromPartial({ ref, network, force });
    await daemon.unary(GatewayService.disconnectContainer, request);
    return 0;
  },
});
