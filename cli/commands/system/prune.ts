import { CtlError } from "../../../services/kit/errors.ts";
import type { Daemon } from "../../daemon.ts";
import { command } from "../../grammar/command.ts";
import { type FlagValues, toggle } from "../../grammar/flags.ts";
import { pruneAndTell, pruneFlags, type Section } from "../../prune/prune.ts";
import { containersSection, imagesSection, networksSection, volumesSection } from "../../prune/sections.ts";

const flags = {
  ...pruneFlags,
  all: toggle({ short: "a", help: "Every image without a container, not just untagged ones" }),
  volumes: toggle({ help: "Anonymous volumes too" }),
};

type SystemFlags = FlagValues<typeof flags>;

export const pruneSystem = command({
  summary: "Remove unused data",
  usage: "[OPTIONS]",
  flags,
  least: 0,
  most: 0,
  run: ({ flags: given }, context) => {
    refuseUntilForVolumes(given);
    const wanted = { isForced: given.force, isDryRun: given["dry-run"], warning: warningOf(given) };
    return pruneAndTell(wanted, context, () => prune(given, context.daemon));
  },
});

/** Containers first: what they hold is free afterwards, and in a dry run counts as if it were. */
async function prune({ filter, all, volumes, "dry-run": isDryRun }: SystemFlags, daemon: Daemon): Promise<Section[]> {
  const containers = await containersSection({ filter, isDryRun }, daemon);
  const choice = { filter, isDryRun, withoutHolders: containers.lines };
  return [
    containers,
    ...(volumes ? [await volumesSection(choice, daemon)] : []),
    await networksSection(choice, daemon),
    await imagesSection({ ...choice, all }, daemon),
  ];
}

function warningOf({ all, volumes, filter }: SystemFlags): string {
  const items = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
  ];
  const chosen = filter.length === 0 ? "" : `\n  Items to be pruned will be filtered with:\n${listed(filter)}`;
  return `WARNING! This will remove:\n${listed(items)}\n${chosen}`;
}

function listed(items: readonly string[]): string {
  return items.map((item) => `  - ${item}\n`).join("");
}

function refuseUntilForVolumes({ filter, volumes }: SystemFlags): void {
  if (!volumes || !filter.some((one) => one.startsWith("until="))) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: "remove unused data",
    why: 'the "until" filter is not supported with "--volumes"',
    fix: "leave one of them out",
  });
}
