import { ContainersService, KillContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { text } from "../grammar/flags.ts";

export const kill = command({
  summary: "Kill one or more running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: text({ short: "s", help: "Signal to send (default KILL)" }) },
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = KillContainerRequest.fromPartial({ ref, signal: flags.signal ?? "" });
      await context.daemon.unary(ContainersService.killContainer, request);
      return ref;
    }),
});
