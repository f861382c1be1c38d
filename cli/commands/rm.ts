import { GatewayService, RemoveContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { toggle } from "../grammar/flags.ts";

export const rm = command({
  summary: "Remove one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    force: toggle({ short: "f", help: "Kill it first when it runs; one that does not exist is no failure" }),
    volumes: toggle({ short: "v", help: "Remove its anonymous volumes too" }),
  },
  least: 1,
  run: ({ flags: { force, volumes }, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = RemoveContainerRequest.fromPartial({ ref, force, volumes });
      try {
        await context.daemon.unary(GatewayService.removeContainer, request);
      } catch (error) {
        if (!force || !isCtlError(error, "NOT_FOUND")) throw error;
        context.stderr.text(`ctl: ${error.message}\n`);
        return "";
      }
      return ref;
    }),
});
