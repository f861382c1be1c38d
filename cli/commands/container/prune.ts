import { command } from "../../grammar/command.ts";
import { pruneAndTell, pruneFlags } from "../../prune/prune.ts";
import { containersSection } from "../../prune/sections.ts";

export const pruneContainers = command({
  summary: "Remove all stopped containers",
  usage: "[OPTIONS]",
  flags: pruneFlags,
  least: 0,
  most: 0,
  run: ({ flags: { force, filter, "dry-run": isDryRun } }, context) => {
    const wanted = { isForced: force, isDryRun, warning: "WARNING! This will remove all stopped containers." };
    return pruneAndTell(wanted, context, async () => [await containersSection({ filter, isDryRun }, context.daemon)]);
  },
});
