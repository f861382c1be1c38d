import { command } from "../../grammar/command.ts";
import { pruneAndTell, pruneFlags } from "../../prune/prune.ts";
import { networksSection } from "../../prune/sections.ts";

export const pruneNetworks = command({
  summary: "Remove all unused networks",
  usage: "[OPTIONS]",
  flags: pruneFlags,
  least: 0,
  most: 0,
  run: ({ flags: { force, filter, "dry-run": isDryRun } }, context) => {
    const warning = "WARNING! This will remove all custom networks not used by at least one container.";
    const wanted = { isForced: force, isDryRun, warning };
    return pruneAndTell(wanted, context, async () => [await networksSection({ filter, isDryRun }, context.daemon)]);
  },
});
