import { ContainersService, PauseContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";

export const pause = command({
  summary: "Pause all processes within one or more containers",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  least: 1,
  run: ({ args }, context) =>
    eachArgument(args, context, async (ref) => {
      await context.daemon.unary(ContainersService.pauseContainer, PauseContainerRequest.fromPartial({ ref }));
      return ref;
    }),
});
