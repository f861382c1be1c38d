import { ContainersService, WaitCondition, WaitContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { isGone } from "../grpc/call.ts";
import { reconnecting } from "../reconnect.ts";

export const wait = command({
  summary: "Block until one or more containers stop, then print their exit codes",
  usage: "CONTAINER [CONTAINER...]",
  flags: {},
  least: 1,
  run: ({ args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = WaitContainerRequest.fromPartial({ ref, condition: WaitCondition.NOT_RUNNING });
      let exitCode = 0;
      // level-triggered: what ended while a part of the daemon restarted is told by the next call
      await reconnecting(isGone, async () => {
        ({ exitCode } = await context.daemon.unary(ContainersService.waitContainer, request));
      });
      return String(exitCode);
    }),
});
