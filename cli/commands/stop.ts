import { ContainersService, StopContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { stopFlags, timeoutOf } from "../stop-flags.ts";

export const stop = command({
  summary: "Stop one or more running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = StopContainerRequest.fromPartial({
        ref,
        signal: flags.signal ?? "",
        ...timeoutOf(flags),
      });
      await context.daemon.unary(ContainersService.stopContainer, request);
      return ref;
    }),
});
