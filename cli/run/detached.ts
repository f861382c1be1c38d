import { GatewayService, RunRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import type { Context } from "../context.ts";
import { writeCidfile } from "./cidfile.ts";
import { type Order, pullPolicy, pullProgress, showWarnings } from "./order.ts";

/** Starts it and prints its id. */
export async function runDetached(order: Order, context: Context): Promise<number> {
  const call = await context.daemon.open(GatewayService.run);
  const open = { spec: order.spec, pull: pullPolicy(order), isForeground: false };
  await call.send(RunRequest.fromPartial({ input: { $case: "open", value: open } }));
  const progress = pullProgress(order, context);
  for await (const { event } of call) {
    if (event?.$case === "pull") await progress.show(event.value);
    if (event?.$case === "created") {
      progress.end();
      showWarnings(event.value.warnings, context);
      writeCidfile(order.cidfile, event.value.id);
    }
    if (event?.$case === "started") {
      showWarnings(event.value.warnings, context);
      context.stdout.text(`${event.value.id}\n`);
    }
  }
  return 0;
}
