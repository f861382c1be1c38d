import { isCtlError } from "../kit/errors.ts";
import type { FilterShape } from "../kit/filters.ts";
import { recordPrune } from "../kit/outbox.ts";
import { PRUNE_FILTERS, parsePruneFilters } from "../kit/prune-filters.ts";
import type { Deps } from "./deps.ts";
import { remove } from "./remove.ts";
import { sizeBytesOf } from "./size.ts";
import { allVolumes } from "./store.ts";
import type { Volume } from "./volume.ts";

const { label, "label!": labelNot } = PRUNE_FILTERS;
const SHAPE = { label, "label!": labelNot, all: "boolean" } as const satisfies FilterShape;

export interface PruneWish {
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
  /** Also those that somebody gave a name. */
  readonly all: boolean;
  readonly isDryRun: boolean;
  /** Containers that count as if they did not refer to anything: those that would be removed before. */
  readonly withoutHolders: readonly string[];
}

/**
 * Removes the volumes to which nobody refers, one after the other; one that is taken into use meanwhile is left. What they
 * weigh is found by walking them. Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID.
 */
export async function pruneVolumes(
  { filters, all, isDryRun, withoutHolders }: PruneWish,
  deps: Deps,
  signal: AbortSignal,
): Promise<{ removed: readonly string[]; reclaimedBytes: number }> {
  const isChosen = parsePruneFilters(filters, SHAPE, Date.now());
  const takesAll =
    all || filters.some(({ key, values }) => key === "all" && values.some((one) => /^(1|t|true)$/i.test(one)));
  const isFree = ({ holders }: Volume) => holders.every((holder) => isDryRun && withoutHolders.includes(holder));
  const volumes = (await allVolumes(deps.db, deps.node))
    .filter((volume) => isFree(volume) && (takesAll || volume.isAnonymous) && isChosen(volume))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const removed: string[] = [];
  let reclaimedBytes = 0;
  for (const volume of volumes) {
    signal.throwIfAborted();
    const bytes = (await sizeBytesOf(volume, deps.drivers, signal)) ?? 0;
    if (!isDryRun && !(await removeUnlessUsed(volume, deps))) continue;
    removed.push(volume.name);
    reclaimedBytes += bytes;
  }
  if (!isDryRun) await recordPrune(deps.db, "volume", reclaimedBytes);
  return { removed, reclaimedBytes };
}

async function removeUnlessUsed({ name }: Volume, deps: Deps): Promise<boolean> {
  try {
    return (await remove({ name, force: true }, deps)).changed;
  } catch (error) {
    if (isCtlError(error, "FAILED_PRECONDITION")) return false;
    throw error;
  }
}
