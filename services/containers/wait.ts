import type { Database } from "../kit/database.ts";
import type { EventFeed } from "../kit/watch.ts";
import { containerNotFound, findContainer } from "./find.ts";
import { isUp } from "./lifecycle.ts";
import { type ContainerRow, containerById } from "./store/containers.ts";
import { exitOf } from "./store/exits.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface WaitResult {
  readonly id: string;
  readonly exitCode: number;
  /** Why its start failed, if it did. */
  readonly error: string;
}

/**
 * Answers when the condition holds: level-triggered on the container's row, so that neither a restart of this service nor
 * another replica makes it miss anything. Throws NOT_FOUND CONTAINER_NOT_FOUND; by the signal.
 */
export async function waitContainer(
  db: Database,
  feed: EventFeed,
  reference: string,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<WaitResult> {
  const first = await findContainer(db, reference);
  let last = first;
  const look = async (): Promise<WaitResult | undefined> => {
    const row = await containerById(db, first.id);
    if (row === undefined) {
      if (condition === "removed") return result(last);
      return removedMeanwhile(last, condition, reference);
    }
    last = row;
    return holds(db, row, first, condition);
  };
  return feed.until(look, signal, `wait for container ${first.name}`);
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
      return exit === undefined ? undefined : { id: row.id, exitCode: exit.exit_code, error: "" };
    }
    case "removed":
      // name, addresses and ports are free again; its directories may still be on their way out
      return row.state === "removing" && row.is_released ? result(row) : undefined;
    default:
      return condition satisfies never;
  }
}

/** `rm -f` of a running container: its end is still to come. */
function isBeingRemovedAlive(row: ContainerRow): boolean {
  return row.state === "removing" && row.pid !== 0;
}

function result({ id, exit_code: exitCode, error }: ContainerRow): WaitResult {
  return { id, exitCode: exitCode ?? 0, error };
}

/** Removed in the moment of its exit: what the row said last is the answer, if it had ended by then. */
function removedMeanwhile(last: ContainerRow, condition: WaitCondition, reference: string): WaitResult {
  if (condition === "not-running" || last.exit_code !== null) return result(last);
  throw containerNotFound(reference);
}
