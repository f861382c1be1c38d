import { ContainersService, WaitCondition, WaitContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";

export const wait = command({
  summary: "Block until one or more containers stop, then print their exit codes",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  least: 1,
  run: ({ args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = WaitContainerRequest.fromPartial({ ref, condition: WaitCondition.NOT_RUNNING });
      const { exitCode } = await context.daemon.unary(ContainersService.waitContainer, request);
      return String(exitCode);
    }),
});
