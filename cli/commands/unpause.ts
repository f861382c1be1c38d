import { ContainersService, UnpauseContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";

export const unpause = command({
  summary: "Let the processes of one or more containers go on",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  least: 1,
  run: ({ args }, context) =>
    eachArgument(args, context, async (ref) => {
      await context.daemon.unary(ContainersService.unpauseContainer, UnpauseContainerRequest.fromPartial({ ref }));
      return ref;
    }),
});
