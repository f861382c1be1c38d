import { GatewayService, RestartContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { stopFlags, timeoutOf } from "../stop-flags.ts";

export const restart = command({
  summary: "Restart one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = RestartContainerRequest.fromPartial({
        ref,
        signal: flags.signal ?? "",
        ...timeoutOf(flags),
      });
      await context.daemon.unary(GatewayService.restartContainer, request);
      return ref;
    }),
});
