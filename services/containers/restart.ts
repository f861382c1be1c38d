import { raceSignal } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import { recordContainerEvent } from "./events.ts";
import { containerNotFound, findContainer } from "./find.ts";
import { notRunning } from "./kill.ts";
import { isUp } from "./lifecycle.ts";
import { parseSignal } from "./spec/signals.ts";
import { endProcess, endsWithinMs, openProcess, type StopDeps, type StopWish, stopTimeoutMs } from "./stop.ts";
import { type ContainerRow, containerById } from "./store/containers.ts";
import { overdueRestarts, wantRestart } from "./store/restarts.ts";

/**
 * Ends a running container's run and answers when the next one runs, in the same sandbox and with the same mounts. The
 * wish is in the row before anything ends, so nobody takes the sandbox in between, and it is carried out also when this
 * service or its caller goes away. Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING: a stopped one needs a whole start,
 * which the gateway does; CONTAINER_NOT_RESTARTED with why.
 */
export async function restartContainer(
  reference: string,
  wish: StopWish,
  defaultSignal: (row: ContainerRow) => string,
  deps: StopDeps,
  signal: AbortSignal,
): Promise<string> {
  const row = await findContainer(deps.db, reference);
  const number = parseSignal(wish.signal || row.spec.stopSignal || defaultSignal(row) || "TERM");
  const timeoutMs = stopTimeoutMs(row, wish);
  const isWanted = isUp(row.state) && (await wantRestart(deps.db, row.id, row.run, endsWithinMs(timeoutMs)));
  if (!isWanted) throw notRunning(row.name);
  if (row.state === "paused") await deps.resume(row);
  await endProcess(row, number, timeoutMs, deps, signal);
  const what = `restart container ${row.name}`;
  await raceSignal(
    deps.feed.until(() => nextRun(row, deps), signal, what),
    signal,
    what,
  );
  await recordContainerEvent(deps.db, "restart", row);
  return row.id;
}

/**
 * Ends those that their restart was to end: the service that did it, or its caller, died in between. What follows an end
 * does the rest.
 */
export async function endOverdueRestarts(
  node: string,
  deps: Pick<StopDeps, "db" | "pidfds" | "resume"> & { readonly log: Logger },
): Promise<void> {
  for (const row of await overdueRestarts(deps.db, node)) {
    if (row.state === "paused") await deps.resume(row);
    using handle = await openProcess(row, deps.pidfds);
    handle?.signal(SIGKILL);
    deps.log.warn({ [attribute.containerId]: row.id }, "restart that was left half-way carried out");
  }
}

const SIGKILL = 9;

/** True when it runs again; undefined while it is on its way. */
async function nextRun(before: ContainerRow, { db }: StopDeps): Promise<true | undefined> {
  const row = await containerById(db, before.id);
  if (row === undefined) throw containerNotFound(before.name);
  if (row.run > before.run) return true;
  // `wants_start`: its sandbox was gone, and the gateway is about to start it with another
  if (row.state === "exited" && !row.wants_restart && !row.wants_start) throw notRestarted(row);
  return undefined;
}

function notRestarted({ name, error }: ContainerRow): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_RESTARTED",
    what: `restart container ${name}`,
    why: error === "" ? "it was stopped meanwhile" : error,
    fix: `look at ctl logs ${name}, and start it with ctl start ${name}`,
  });
}
