import type { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import { PullPolicy } from "#proto/ctl/gateway/v1/gateway.ts";
import type { PullResponse } from "#proto/ctl/images/v1/images.ts";
import type { Context } from "../context.ts";
import { openPullProgress, type PullProgress } from "../output/pull-progress.ts";

/** What `run` and `create` ask the daemon for. */
export interface Order {
  readonly spec: ContainerSpec;
  readonly pull: "always" | "missing" | "never" | undefined;
  /** Say nothing about a pull. */
  readonly isQuiet: boolean;
  readonly cidfile: string | undefined;
}

export function pullPolicy({ pull }: Order): PullPolicy {
  if (pull === "always") return PullPolicy.ALWAYS;
  return pull === "never" ? PullPolicy.NEVER : PullPolicy.MISSING;
}

/** Shows a pull on stderr once one begins: most of the time there is none, and a terminal's look-up costs 1.5 ms. */
export function pullProgress(order: Order, { stderr }: Context) {
  let progress: PullProgress | undefined;
  const reference = order.spec.image;
  return {
    async show(answer: PullResponse): Promise<void> {
      if (order.isQuiet) return;
      const isMissing = order.pull !== "always";
      progress ??= await openPullProgress(stderr, { reference, isMissing });
      progress.show(answer);
    },
    end: () => progress?.end(),
  };
}

export function showWarnings(warnings: readonly string[], { stderr }: Context): void {
  for (const warning of warnings) stderr.text(`WARNING: ${warning}\n`);
}
