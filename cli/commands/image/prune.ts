import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";
import { pruneAndTell, pruneFlags } from "../../prune/prune.ts";
import { imagesSection } from "../../prune/sections.ts";

export const pruneImages = command({
  summary: "Remove unused images",
  usage: "[OPTIONS]",
  flags: {
    ...pruneFlags,
    all: toggle({ short: "a", help: "Every image without a container, not just untagged ones" }),
  },
  least: 0,
  most: 0,
  run: ({ flags: { force, filter, all, "dry-run": isDryRun } }, context) => {
    const what = all ? "all images without at least one container associated to them" : "all dangling images";
    const wanted = { isForced: force, isDryRun, warning: `WARNING! This will remove ${what}.` };
    return pruneAndTell(wanted, context, async () => [await imagesSection({ filter, isDryRun, all }, context.daemon)]);
  },
});
