import type { Database } from "../kit/database.ts";
import { sleep } from "../kit/deadlines.ts";
import { keepDuty } from "../kit/duty.ts";
import { trimEvents, trimSteps } from "../kit/outbox.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import { collectBlobs, collectLayers } from "./collect.ts";
import type { ImagePaths } from "./paths.ts";
import { reconcile } from "./reconcile.ts";

export interface BackgroundDeps {
  readonly db: Database;
  readonly node: string;
  readonly paths: ImagePaths;
  readonly log: Logger;
}

/** What happens once per node, and who asks for it early. */
export interface Background {
  /** Something may have become unused. */
  wake(): void;
  readonly ended: Promise<void>;
}

const ROUND_MS = 30_000;
const BLOB_AGE_MS = 3_600_000;
const EVENTS_KEPT = 100_000;

export function startBackground(deps: BackgroundDeps, signal: AbortSignal): Background {
  let wake = Promise.withResolvers<void>();
  const rounds = async (ends: AbortSignal): Promise<void> => {
    while (!ends.aborted) {
      const woken = wake.promise;
      await oneRound(deps);
      const timer = new AbortController();
      await Promise.race([woken, sleep(ROUND_MS, AbortSignal.any([ends, timer.signal])).catch(() => {})]);
      timer.abort();
    }
  };
  const { db, node, log } = deps;
  return {
    wake: () => {
      wake.resolve();
      wake = Promise.withResolvers<void>();
    },
    ended: keepDuty({ name: "collect", node, db, log, work: rounds }, signal),
  };
}

async function oneRound({ db, node, paths, log }: BackgroundDeps): Promise<void> {
  await reconcile({ db, node, paths, log });
  const layers = await collectLayers(db, node, paths);
  const blobBytes = await collectBlobs(db, paths, BLOB_AGE_MS);
  if (layers > 0 || blobBytes > 0) log.info({ "ctl.layers": layers, "ctl.bytes": blobBytes }, "unused content deleted");
  await trimEvents(db, EVENTS_KEPT);
  await trimSteps(db);
}
