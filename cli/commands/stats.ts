import {
  type ContainerStats,
  ContainersService,
  type ResourceUsage,
  WatchStatsRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../grammar/command.ts";
import { text, toggle } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import type { Output } from "../output/output.ts";
import { formatRows } from "../output/rows.ts";
import { STATS_SHAPE, statsRow } from "../output/stats-row.ts";
import { reconnecting } from "../reconnect.ts";

export const stats = command({
  summary: "Show what containers use of CPU, memory, network and disks, live",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: toggle({ short: "a", help: "Show those that do not run as well" }),
    format: text({ help: "'table', 'table TEMPLATE', 'json', or a Go template for each line" }),
    "no-stream": toggle({ help: "Show it once, not live" }),
    "no-trunc": toggle({ help: "Show long values whole" }),
  },
  least: 0,
  async run({ flags, args: refs }, { daemon, stdout }) {
    const { all, format, "no-stream": isOnce, "no-trunc": isUncut } = flags;
    const isLive = !isOnce && (await stdout.isTerminal());
    const request = WatchStatsRequest.fromPartial({ refs: [...refs], all });
    let before: ReadonlyMap<string, ResourceUsage> | undefined;
    await reconnecting(isGone, async () => {
      for await (const { containers } of daemon.stream(ContainersService.watchStats, request)) {
        const rows = containers.map((one) => statsRow(one, before?.get(one.id), isUncut));
        const table = formatRows(rows, STATS_SHAPE, format);
        // the share of the CPU comes with the second answer; a person at a terminal sees the rest at once
        const isComplete = before !== undefined || containers.every(({ usage }) => usage === undefined);
        if (isLive) redraw(stdout, table);
        else if (isComplete) stdout.text(table);
        if (isOnce && isComplete) return;
        before = usages(containers);
      }
    });
    return 0;
  },
});

function usages(containers: readonly ContainerStats[]): Map<string, ResourceUsage> {
  return new Map(containers.flatMap(({ id, usage }) => (usage === undefined ? [] : [[id, usage]])));
}

/** Over what was there, each line's rest and what is below cleared: clearing all of it first would flicker. */
function redraw(stdout: Output, table: string): void {
  stdout.text(`\x1b[H${table.replaceAll("\n", "\x1b[K\n")}\x1b[J`);
}
