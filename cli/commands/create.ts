import { CreateContainerRequest, GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { buildSpec } from "../container-spec/build.ts";
import { containerFlags } from "../container-spec/flags.ts";
import { command } from "../grammar/command.ts";
import { requireFreeCidfile, writeCidfile } from "../run/cidfile.ts";
import { pullPolicy, pullProgress, showWarnings } from "../run/order.ts";

export const create = command({
  summary: "Create a new container from an image, without starting it",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: containerFlags,
  least: 1,
  stopsAtArgument: true,
  async run({ flags, args: [image = "", ...words] }, context) {
    const spec = buildSpec({ flags, image, command: words, env: context.env, isDetached: false });
    requireFreeCidfile(flags.cidfile);
    const order = { spec, pull: flags.pull, isQuiet: flags.quiet, cidfile: flags.cidfile };
    const request = CreateContainerRequest.fromPartial({ spec, pull: pullPolicy(order) });
    const progress = pullProgress(order, context);
    for await (const { event } of context.daemon.stream(GatewayService.createContainer, request)) {
      if (event?.$case === "pull") await progress.show(event.value);
      if (event?.$case !== "created") continue;
      progress.end();
      showWarnings(event.value.warnings, context);
      writeCidfile(order.cidfile, event.value.id);
      context.stdout.text(`${event.value.id}\n`);
    }
    return 0;
  },
});
