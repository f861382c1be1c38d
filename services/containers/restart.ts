import { raceSignal } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { containerEvent } from "./events.ts";
import { containerNotFound, findContainer } from "./find.ts";
import { notRunning } from "./kill.ts";
import { isUp } from "./lifecycle.ts";
import { parseSignal } from "./spec/signals.ts";
import { endProcess, type StopDeps, type StopWish, stopTimeoutMs } from "./stop.ts";
import { type ContainerRow, containerById } from "./store/containers.ts";
import { wantRestart } from "./store/restarts.ts";

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
  if (!isUp(row.state) || !(await wantRestart(deps.db, row.id, row.run))) throw notRunning(row.name);
  if (row.state === "paused") await deps.resume(row);
  await endProcess(row, number, stopTimeoutMs(row, wish), deps, signal);
  const what = `restart container ${row.name}`;
  await raceSignal(
    deps.feed.until(() => nextRun(row, deps), signal, what),
    signal,
    what,
  );
  await deps.db.transaction((tx) => recordEvent(tx, deps.db.schema, containerEvent("restart", row)));
  return row.id;
}

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
