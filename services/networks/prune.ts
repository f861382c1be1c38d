import { isCtlError } from "../kit/errors.ts";
import { recordPrune } from "../kit/outbox.ts";
import { PRUNE_FILTERS, parsePruneFilters } from "../kit/prune-filters.ts";
import type { Deps } from "./deps.ts";
import type { Network } from "./network.ts";
import { remove } from "./remove.ts";
import { endpointsOn } from "./store/endpoints.ts";
import { customNetworks } from "./store/networks.ts";

export interface PruneWish {
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
  readonly isDryRun: boolean;
  /** Containers that count as if they were on no network: those that would be removed before. */
  readonly withoutHolders: readonly string[];
}

/**
 * Removes the networks that nobody is on, one after the other; answers their names. The engine's own stay, and one that is
 * taken into use meanwhile. Throws INVALID_ARGUMENT FILTER_UNKNOWN, FILTER_VALUE_INVALID.
 */
export async function pruneNetworks(wish: PruneWish, deps: Deps, signal: AbortSignal): Promise<readonly string[]> {
  const isChosen = parsePruneFilters(wish.filters, PRUNE_FILTERS, Date.now());
  const networks = (await customNetworks(deps.db, deps.node)).filter(isChosen);
  const held = await heldNetworks(networks, wish, deps);
  const removed: string[] = [];
  for (const network of networks) {
    signal.throwIfAborted();
    if (held.has(network.id)) continue;
    if (wish.isDryRun || (await removeUnlessUsed(network, deps))) removed.push(network.name);
  }
  if (!wish.isDryRun) await recordPrune(deps.db, "network", 0);
  return removed;
}

async function heldNetworks(networks: readonly Network[], { isDryRun, withoutHolders }: PruneWish, { db }: Deps) {
  const endpoints = await endpointsOn(
    db,
    networks.map(({ id }) => id),
  );
  const counting = endpoints.filter(({ holder }) => !(isDryRun && withoutHolders.includes(holder)));
  return new Set(counting.map(({ networkId }) => networkId));
}

async function removeUnlessUsed({ id }: Network, deps: Deps): Promise<boolean> {
  try {
    return (await remove({ ref: id, force: true }, deps)) !== "";
  } catch (error) {
    if (isCtlError(error, "FAILED_PRECONDITION", "NOT_FOUND")) return false;
    throw error;
  }
}
