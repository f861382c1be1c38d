import type { Database } from "../kit/database.ts";
import { abortError } from "../kit/deadlines.ts";
import type { RunEnds } from "./exits/ends.ts";
import { containerNotFound, findContainer } from "./find.ts";
import { isUp } from "./lifecycle.ts";
import { isContainerId } from "./spec/spec.ts";
import { type ContainerRow, containerById } from "./store/containers.ts";
import { exitOf } from "./store/exits.ts";

/** `releasable`: it has ended, and is being removed because of that (`--rm`) or soon will be. */
export type WaitCondition = "not-running" | "next-exit" | "removed" | "releasable";

export interface WaitResult {
  readonly id: string;
  readonly exitCode: number;
  /** Why its start failed, if it did. */
  readonly error: string;
  readonly hasMounts: boolean;
  readonly isRemoving: boolean;
}

/** A change that is missed (another replica made it, and its event is late) is seen by then. */
const POLL_MS = 1_000;

/**
 * Answers when the condition holds: level-triggered on the container's row, so that neither a restart of this service nor
 * another replica makes it miss anything. Throws NOT_FOUND CONTAINER_NOT_FOUND; by the signal.
 */
export async function waitContainer(
  db: Database,
  ends: RunEnds,
  reference: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const first = isContainerId(reference) ? await containerById(db, reference) : await findContainer(db, reference);
  if (first === undefined) throw containerNotFound(reference);
  let last = first;
  const look = async (): Promise<WaitResult | undefined> => {
    const row = await containerById(db, first.id);
    if (row === undefined) {
      if (condition === "removed" || condition === "releasable") return result(last);
      return removedMeanwhile(last, condition, reference);
    }
    last = row;
    return holds(db, row, first, condition);
  };
  const stops = AbortSignal.any([signal, ends.stopping]);
  for (;;) {
    using change = ends.nextChange(first.id); // before the look: one in between is not missed
    const found = await look();
    if (found !== undefined) return found;
    if (stops.aborted) throw abortError(stops, `wait for container ${first.name}`);
    await changedOrLater(change.happened, stops);
  }
}

async function changedOrLater(change: Promise<void>, signal: AbortSignal): Promise<void> {
  const later = Promise.withResolvers<void>();
  const wake = () => later.resolve();
  const timer = setTimeout(wake, POLL_MS);
  signal.addEventListener("abort", wake, { once: true });
  await Promise.race([change, later.promise]);
  clearTimeout(timer);
  signal.removeEventListener("abort", wake);
}

async function holds(
  db: Database,
  row: ContainerRow,
  first: ContainerRow,
  condition: WaitCondition,
): Promise<WaitResult | undefined> {
  switch (condition) {
    case "not-running":
      return isUp(row.state) || row.state === "restarting" || isBeingRemovedAlive(row) ? undefined : result(row);
    case "next-exit": {
      // one that runs: the end of this run; one that does not: the end of the next
      const run = isUp(first.state) ? first.run : first.run + 1;
      const exit = await exitOf(db, row.id, run);
      return exit === undefined ? undefined : { ...result(row), exitCode: exit.exit_code, error: "" };
    }
    case "removed":
      // name, addresses and ports are free again; its directories may still be on their way out
      return row.state === "removing" && row.is_released ? result(row) : undefined;
    case "releasable":
      return (row.state === "removing" && row.pid === 0) || isRemovedLater(row) ? result(row) : undefined;
    default:
      return condition satisfies never;
  }
}

/** It may still be read by a client that lost its stream. */
function isRemovedLater(row: ContainerRow): boolean {
  return row.state === "exited" && row.auto_remove && !row.wants_restart;
}

/** `rm -f` of a running container: its end is still to come. */
function isBeingRemovedAlive(row: ContainerRow): boolean {
  return row.state === "removing" && row.pid !== 0;
}

function result({ id, exit_code: exitCode, error, given, state }: ContainerRow): WaitResult {
  const hasMounts = (given?.mounts.length ?? 0) > 0;
  return { id, exitCode: exitCode ?? 0, error, hasMounts, isRemoving: state === "removing" };
}

/** Removed in the moment of its exit: what the row said last is the answer, if it had ended by then. */
function removedMeanwhile(last: ContainerRow, condition: WaitCondition, reference: string): WaitResult {
  if (condition === "not-running" || last.exit_code !== null) return result(last);
  throw containerNotFound(reference);
}
