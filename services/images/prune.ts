import type { Database } from "../kit/database.ts";
import type { FilterShape } from "../kit/filters.ts";
import { recordPrune } from "../kit/outbox.ts";
import { PRUNE_FILTERS, parsePruneFilters } from "../kit/prune-filters.ts";
import { familiar, removeUnheld } from "./remove.ts";
import { allImages, type ImageRow } from "./store/images.ts";
import { bytesOnlyOf } from "./store/layers.ts";
import { leaseHolders } from "./store/leases.ts";

const SHAPE = { ...PRUNE_FILTERS, dangling: "boolean" } as const satisfies FilterShape;

export interface PruneWish {
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
  /** Also those that have a name. */
  readonly all: boolean;
  readonly isDryRun: boolean;
  /** Containers that count as if they held no image: those that would be removed before. */
  readonly withoutHolders: readonly string[];
}

export interface Pruned {
  readonly untagged: readonly string[];
  readonly deleted: readonly string[];
  /** Of layers that nothing else refers to. */
  readonly reclaimedBytes: number;
  /** Digests of what they had in the blob store: other images may have some of them too. */
  readonly blobs: readonly string[];
}

/**
 * Removes the images that no container is made from, one after the other; one that is taken into use meanwhile is left.
 * Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID.
 */
export async function pruneImages(wish: PruneWish, db: Database, node: string, signal: AbortSignal): Promise<Pruned> {
  const chosen = await candidates(wish, db);
  const reclaimedBytes = await bytesOnlyOf(
    db,
    node,
    chosen.map(({ id }) => id),
  );
  if (wish.isDryRun) {
    return {
      untagged: chosen.flatMap(({ tags }) => tags.map(familiar)),
      deleted: chosen.map(({ id }) => id),
      reclaimedBytes,
      blobs: [],
    };
  }
  const [untagged, deleted, blobs]: [string[], string[], string[]] = [[], [], []];
  for (const { id } of chosen) {
    signal.throwIfAborted();
    const removed = await removeUnheld(db, id);
    untagged.push(...removed.untagged);
    deleted.push(...removed.deleted);
    blobs.push(...removed.blobs);
  }
  const reclaimed = deleted.length === 0 ? 0 : reclaimedBytes;
  await recordPrune(db, "image", reclaimed);
  return { untagged, deleted, reclaimedBytes: reclaimed, blobs };
}

async function candidates({ filters, all, isDryRun, withoutHolders }: PruneWish, db: Database): Promise<ImageRow[]> {
  const isChosen = parsePruneFilters(filters, SHAPE, Date.now());
  const asksAll = filters.some(
    ({ key, values }) => key === "dangling" && values.some((one) => /^(0|f|false)$/i.test(one)),
  );
  const holders = await leaseHolders(db);
  const isFree = ({ id }: ImageRow) =>
    (holders.get(id) ?? []).every((holder) => isDryRun && withoutHolders.includes(holder));
  return (await allImages(db)).filter(
    (row) =>
      isFree(row) &&
      (all || asksAll || row.tags.length === 0) &&
      isChosen({ labels: row.config.labels, createdAt: row.created_at ?? undefined }),
  );
}
