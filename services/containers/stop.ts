import type { Database } from "../kit/database.ts";
import { deadline, raceSignal, sleep } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import type { Pidfds, ProcessHandle } from "../kit/linux/pidfd.ts";
import { readProcessStat } from "../kit/linux/process-identity.ts";
import type { EventFeed } from "../kit/watch.ts";
import { recordContainerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import { isUp } from "./lifecycle.ts";
import { parseSignal } from "./spec/signals.ts";
import { DEFAULT_STOP_TIMEOUT_S } from "./spec/spec.ts";
import { type ContainerRow, containerById, markStoppedByUser } from "./store/containers.ts";
import { cancelRestart } from "./store/restarts.ts";

export interface StopDeps {
  readonly db: Database;
  readonly feed: EventFeed;
  readonly pidfds: Pidfds;
  /** A paused container takes no signal but KILL: it is let go first. */
  readonly resume: (row: ContainerRow) => Promise<void>;
}

export interface StopWish {
  /** Undefined: the container's own, else 10. Negative: for ever. */
  readonly timeoutS: number | undefined;
  /** Empty: the container's own, else the image's, else TERM. */
  readonly signal: string;
}

const KILL_TIMEOUT_MS = 10_000;
const RECORD_TIMEOUT_MS = 10_000;

/**
 * The stop signal, then after the timeout KILL; answers when the exit is recorded. A person's stop: no policy starts it
 * again. `changed` is false for one that does not run. Throws DEADLINE_EXCEEDED CONTAINER_STUCK naming what did not end.
 */
export async function stopContainer(
  reference: string,
  wish: StopWish,
  defaultSignal: (row: ContainerRow) => string,
  deps: StopDeps,
  signal: AbortSignal,
): Promise<{ id: string; changed: boolean }> {
  const first = await findContainer(deps.db, reference);
  const number = parseSignal(wish.signal || first.spec.stopSignal || defaultSignal(first) || "TERM");
  await markStoppedByUser(deps.db, first.id);
  const row = (await containerById(deps.db, first.id)) ?? first;
  if (row.state === "restarting") await cancelRestart(deps.db, row.id, "");
  if (!isUp(row.state)) return { id: row.id, changed: row.state === "restarting" };
  if (row.state === "paused") await deps.resume(row);
  await endProcess(row, number, stopTimeoutMs(row, wish), deps, signal);
  await exitRecorded(row, deps, signal);
  await recordContainerEvent(deps.db, "stop", row);
  return { id: row.id, changed: true };
}

/** Undefined: for ever. */
export function stopTimeoutMs(row: ContainerRow, wish: StopWish): number | undefined {
  const timeoutS = wish.timeoutS ?? row.spec.stopTimeoutS ?? DEFAULT_STOP_TIMEOUT_S;
  return timeoutS < 0 ? undefined : timeoutS * 1_000;
}

/** When a process that is ended with that timeout is gone, or whoever sees to it is. Undefined: nobody can say. */
export function endsWithinMs(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : timeoutMs + KILL_TIMEOUT_MS;
}

/**
 * Ends a container's first process: with the signal, and if it does not end in time, with KILL. Each is an event; one that
 * cannot be recorded keeps nobody from ending it.
 */
export async function endProcess(
  row: ContainerRow,
  number: number,
  timeoutMs: number | undefined,
  { db, pidfds }: Pick<StopDeps, "db" | "pidfds">,
  signal: AbortSignal,
): Promise<void> {
  using handle = await openProcess(row, pidfds);
  if (handle === undefined) return;
  const send = (sent: number) => {
    handle.signal(sent);
    return recordContainerEvent(db, "kill", row, { signal: String(sent) }).catch(() => {});
  };
  const what = `stop container ${row.name}`;
  const first = timeoutMs === 0 ? undefined : send(number);
  if (timeoutMs === undefined) await raceSignal(handle.ended(signal), signal, what);
  const hasEnded = timeoutMs === undefined || (timeoutMs > 0 && (await endsWithin(handle, timeoutMs, signal)));
  await first;
  if (hasEnded) return;
  const last = send(SIGKILL);
  if (!(await endsWithin(handle, KILL_TIMEOUT_MS, signal)))
    throw stuck(row, `its process ${row.pid} did not end after KILL`);
  await last;
}

const SIGKILL = 9;

/** The very process of this row; undefined when it has ended. */
export async function openProcess(
  row: Pick<ContainerRow, "pid" | "start_ticks">,
  pidfds: Pidfds,
): Promise<ProcessHandle | undefined> {
  const handle = pidfds.open(row.pid);
  if (handle === undefined) return undefined;
  const stat = await readProcessStat(row.pid);
  if (stat !== undefined && stat.startTicks === Number(row.start_ticks)) return handle;
  handle[Symbol.dispose]();
  return undefined;
}

async function endsWithin(handle: ProcessHandle, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const timer = deadline(timeoutMs, "wait for the process");
  try {
    await handle.ended(AbortSignal.any([signal, timer]));
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return handle.hasEnded();
  }
}

/** The process is gone; its monitor's word and the row come a few ms later. */
export async function exitRecorded(
  row: ContainerRow,
  { db, feed }: Pick<StopDeps, "db" | "feed">,
  signal: AbortSignal,
) {
  const ends = AbortSignal.any([signal, deadline(RECORD_TIMEOUT_MS, `record the end of container ${row.name}`)]);
  const look = async () => {
    const now = await containerById(db, row.id);
    return now === undefined || now.run > row.run || now.pid === 0 ? true : undefined;
  };
  try {
    await feed.until(look, ends, `record the end of container ${row.name}`);
  } catch (error) {
    if (signal.aborted) throw error;
    throw stuck(row, "its process has ended, and its monitor (conmon) has not said so");
  }
  await sleep(0, signal);
}

function stuck({ name }: ContainerRow, why: string): CtlError {
  return new CtlError("DEADLINE_EXCEEDED", {
    reason: "CONTAINER_STUCK",
    what: `stop container ${name}`,
    why,
    fix: "a process in an uninterruptible wait ends when its device answers; look at ps and at the kernel's log",
  });
}
