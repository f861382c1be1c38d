import { ContainersService, SignalExecRequest } from "#proto/ctl/containers/v1/containers.ts";
import { eachArgument } from "../../each-argument.ts";
import { command } from "../../grammar/command.ts";
import { text } from "../../grammar/flags.ts";

export const killExecs = command({
  summary: "Send a signal to what is executed in containers",
  usage: "[OPTIONS] EXEC [EXEC...]",
  flags: { signal: text({ short: "s", help: "Signal to send (default KILL)" }) },
  least: 1,
  run: ({ flags, args }, context) =>
    eachArgument(args, context, async (execId) => {
      const request = SignalExecRequest.fromPartial({ execId, signal: flags.signal ?? "KILL" });
      await context.daemon.unary(ContainersService.signalExec, request);
      return execId;
    }),
});
