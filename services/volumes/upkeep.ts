import { sleep } from "../kit/deadlines.ts";
import { keepDuty } from "../kit/duty.ts";
import { trimEvents, trimSteps } from "../kit/outbox.ts";
import type { Deps } from "./deps.ts";
import type { VolumeDirectories } from "./drivers/local/directories.ts";
import { clearUpWork, reconcile } from "./reconcile.ts";
import { emptyTrash } from "./trash.ts";

const TRASH_MS = 1_000;
const WORK_MS = 5_000;
const RECONCILE_MS = 300_000;
const EVENTS_KEPT = 100_000;

/** What one replica of a node does in the background, until the signal aborts. One duty, since each holds a connection. */
export async function keepUp(deps: Deps, directories: VolumeDirectories, signal: AbortSignal): Promise<void> {
  const { db, node, log } = deps;
  await keepDuty({ name: "upkeep", node, db, log, work: (held) => upkeep(deps, directories, held) }, signal);
}

async function upkeep(deps: Deps, directories: VolumeDirectories, signal: AbortSignal): Promise<void> {
  const undeletable = new Set<string>();
  let nextWork = 0;
  for (let next = 0; !signal.aborted; await sleep(TRASH_MS, signal)) {
    if (performance.now() >= next) {
      await reconcile(deps, directories, signal);
      await trimEvents(deps.db, EVENTS_KEPT);
      await trimSteps(deps.db);
      undeletable.clear();
      next = performance.now() + RECONCILE_MS;
    }
    if (performance.now() >= nextWork) {
      await clearUpWork(deps, signal);
      nextWork = performance.now() + WORK_MS;
    }
    await emptyTrash(deps, directories, undeletable, signal);
  }
}
