import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";
import { pruneAndTell, pruneFlags } from "../../prune/prune.ts";
import { volumesSection } from "../../prune/sections.ts";

export const pruneVolumes = command({
  summary: "Remove unused local volumes",
  usage: "[OPTIONS]",
  flags: { ...pruneFlags, all: toggle({ short: "a", help: "Every unused volume, not just anonymous ones" }) },
  least: 0,
  most: 0,
  run: ({ flags: { force, filter, all, "dry-run": isDryRun } }, context) => {
    const what = all ? "all local volumes" : "anonymous local volumes";
    const warning = `WARNING! This will remove ${what} not used by at least one container.`;
    const wanted = { isForced: force, isDryRun, warning };
    return pruneAndTell(wanted, context, async () => [await volumesSection({ filter, isDryRun, all }, context.daemon)]);
  },
});
