import { sleep } from "../kit/deadlines.ts";
import { keepDuty } from "../kit/duty.ts";
import { trimEvents, trimSteps } from "../kit/outbox.ts";
import { inParallel } from "../kit/parallel.ts";
import type { DetachedExecs } from "./exec/detached-execs.ts";
import type { ExitFollower } from "./exits/exit.ts";
import type { Restarts } from "./exits/restarts.ts";
import type { HealthMonitors } from "./health/monitors.ts";
import { rotateForEver } from "./logs/rotations.ts";
import type { Shipments } from "./logs/shipping/shipments.ts";
import { resume } from "./pause.ts";
import { noSuspicions, type ReconcileDeps, reconcile, reconcileBoot } from "./reconcile.ts";
import type { Removals } from "./remove.ts";
import { endOverdueRestarts } from "./restart.ts";
import { trimExecs } from "./store/execs.ts";

export interface BackgroundDeps extends ReconcileDeps {
  readonly follower: ExitFollower;
  readonly restarts: Restarts;
  readonly health: HealthMonitors;
  readonly removals: Removals;
  readonly detached: DetachedExecs;
  readonly shipments: Shipments;
}

const ROUND_MS = 10_000;
const EVENTS_KEPT = 100_000;

/** What happens once per node: following exits, restarting by policy, mending. Ends with the signal. */
export function keepExitWatch(deps: BackgroundDeps, signal: AbortSignal): Promise<void> {
  const { db, node, log } = deps;
  return keepDuty({ name: "exit-watch", node, db, log, work: (ends) => work(deps, ends) }, signal);
}

async function work(deps: BackgroundDeps, signal: AbortSignal): Promise<void> {
  await reconcileBoot(deps);
  const parts = [
    (s: AbortSignal) => deps.follower.follow(s),
    (s: AbortSignal) => deps.restarts.follow(s),
    (s: AbortSignal) => deps.health.follow(s),
    (s: AbortSignal) => deps.shipments.follow(s),
    (s: AbortSignal) => rotateForEver({ ...deps, root: deps.host.root }, s),
    rounds(deps),
  ];
  await inParallel(parts, (part, s) => part(s), signal);
}

function rounds(deps: BackgroundDeps): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const suspicions = noSuspicions();
    while (!signal.aborted) {
      await deps.removals.resume(deps.node);
      await deps.detached.resume();
      await reconcile(deps, suspicions);
      await endOverdueRestarts(deps.node, {
        ...deps,
        pidfds: deps.host.pidfds,
        resume: (row) => resume(deps.db, deps.host, row, signal),
      });
      await trimEvents(deps.db, EVENTS_KEPT);
      await trimSteps(deps.db);
      await trimExecs(deps.db);
      await sleep(ROUND_MS, signal).catch(() => {});
    }
  };
}
