import type { Context } from "../context.ts";
import { parsedList, toggle } from "../grammar/flags.ts";
import { humanSize } from "../output/human.ts";
import { parseFilter } from "../values/filter.ts";
import { confirm } from "./confirm.ts";

/** What every prune takes. */
export const pruneFlags = {
  "dry-run": toggle({ help: "Only say what would be removed, and remove nothing" }),
  filter: parsedList(
    { value: "filter", help: "Take only what matches: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]" },
    parseFilter,
  ),
  force: toggle({ short: "f", help: "Do not ask for confirmation" }),
};

export interface Wanted {
  readonly isForced: boolean;
  readonly isDryRun: boolean;
  /** What is said before the question. */
  readonly warning: string;
}

/** One kind of thing that a prune took, or would take. */
export interface Section {
  /** `Containers`, `Images`. */
  readonly title: string;
  readonly lines: readonly string[];
  /** Undefined: such things weigh nothing. */
  readonly reclaimedBytes?: number;
}

/**
 * Asks, unless that was done with --force or nothing is to be removed, does it, and tells it in Docker's words; `work` tells
 * whether it is to be a dry run.
 */
export async function pruneAndTell(
  wanted: Wanted,
  context: Context,
  work: () => Promise<readonly Section[]>,
): Promise<number> {
  const isRefused = !wanted.isForced && !wanted.isDryRun && !(await confirm(wanted.warning, context));
  if (isRefused) return 0;
  const sections = await work();
  context.stdout.text(sections.map((section) => sectionText(section, wanted.isDryRun)).join(""));
  const weights = sections.flatMap(({ reclaimedBytes }) => reclaimedBytes ?? []);
  if (weights.length > 0) {
    const total = humanSize(
      weights.reduce((sum, one) => sum + one, 0),
      4,
    );
    context.stdout.text(
      wanted.isDryRun ? `Space that would be reclaimed: ${total}\n` : `Total reclaimed space: ${total}\n`,
    );
  }
  return 0;
}

function sectionText({ title, lines }: Section, isDryRun: boolean): string {
  if (lines.length === 0) return "";
  const heading = isDryRun ? `${title} that would be deleted:` : `Deleted ${title}:`;
  return `${[heading, ...lines].join("\n")}\n\n`;
}
