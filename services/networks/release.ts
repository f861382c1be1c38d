import type { Db } from "../kit/database.ts";
import { beginUndo } from "../kit/outbox.ts";
import type { Deps } from "./deps.ts";
import { recordEndpointEvents } from "./events.ts";
import type { Holder, Holding } from "./holding.ts";
import { takeDown } from "./host/bring-up.ts";
import { deactivateHolding, deleteHolding, holdingOf } from "./store/holdings.ts";

/**
 * Gives back what this operation acquired, never what the holder had before. It leaves a tombstone: an acquire that
 * arrives late is refused.
 */
export async function undoAcquire({ holder, operation }: Holder, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  const undone = await deps.db.transaction(async (tx) => {
    await beginUndo(tx, operation);
    return departed(await deleteHolding(tx, deps.node, holder, operation), tx);
  });
  if (undone !== undefined) await takeDown(undone, "nothing", deps);
}

/** The container has stopped: sandbox and port mappings go, addresses and chosen ports stay its own. */
export async function deactivate(holder: string, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  await deactivateNow(holder, deps);
}

/** Gives up all that the holder has; its ports are free for everybody when this returns. */
export async function release(holder: string, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  await releaseNow(holder, deps);
}

/** After the host refused what the rows say: as it was before, so that nothing is left, whoever undoes it or does not. */
export async function withdraw({ holder }: Holding, change: "made" | "activated" | "kept", deps: Deps): Promise<void> {
  try {
    if (change === "made") await releaseNow(holder, deps);
    if (change === "activated") await deactivateNow(holder, deps);
  } catch (error) {
    deps.log.warn({ "container.id": holder, err: error }, "rows of a failed acquire stay until they are released");
  }
}

async function deactivateNow(holder: string, deps: Deps): Promise<void> {
  const held = await holdingOf(deps.db, deps.node, holder);
  if (held === undefined || !held.isActive) return;
  await deps.db.transaction(async (tx) => {
    if (await deactivateHolding(tx, holder, held.netnsId)) await departed(held, tx);
  });
  await takeDown(held, "chosen ports", deps);
}

async function releaseNow(holder: string, deps: Deps): Promise<void> {
  const held = await deps.db.transaction(async (tx) => departed(await deleteHolding(tx, deps.node, holder), tx));
  if (held !== undefined) await takeDown(held, "nothing", deps);
}

async function departed<H extends Holding | undefined>(held: H, tx: Db): Promise<H> {
  if (held?.isActive) await recordEndpointEvents(tx, "disconnect", held.holder, held.endpoints);
  return held;
}
