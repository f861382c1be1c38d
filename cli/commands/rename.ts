import { GatewayService, RenameContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../grammar/command.ts";

export const rename = command({
  summary: "Rename a container",
  usage: "CONTAINER NEW_NAME",
  flags: {},
  least: 2,
  most: 2,
  async run({ args: [ref = "", name = ""] }, { daemon }) {
    await daemon.unary(GatewayService.renameContainer, RenameContainerRequest.fromPartial({ ref, name }));
    return 0;
  },
});
