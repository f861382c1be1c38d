import type { Db } from "../../kit/database.ts";
import type { ContainerRow } from "./containers.ts";

/** The run has ended and its policy wants another one after a wait. */
export async function recordRestarting(db: Db, id: string, run: number, delayMs: number): Promise<void> {
  await db.query(
    `update containers
        set state = 'restarting', restart_delay_ms = $3::int, restart_count = restart_count + 1,
            restart_at = clock_timestamp() + $3::int * interval '1 millisecond'
      where id = $1 and run = $2 and state = 'exited' and not is_stopped_by_user`,
    [id, run, delayMs],
  );
}

/** `endsWithinMs`: what its process has to end; undefined: for ever. False: it does not run (any more). */
export async function wantRestart(db: Db, id: string, run: number, endsWithinMs: number | undefined): Promise<boolean> {
  const { rowCount } = await db.query(
    `update containers
        set wants_restart = true, restart_by = clock_timestamp() + $3::float8 * interval '1 millisecond'
      where id = $1 and run = $2 and state in ('running', 'paused')`,
    [id, run, endsWithinMs ?? null],
  );
  return rowCount === 1;
}

/** Those that are to be restarted and should have ended by now: whoever saw to that is gone. */
export async function overdueRestarts(db: Db, node: string): Promise<ContainerRow[]> {
  const { rows } = await db.query<ContainerRow>(
    `select * from containers
      where node = $1 and wants_restart and state in ('running', 'paused') and restart_by < clock_timestamp()`,
    [node],
  );
  return rows;
}

/**
 * The run that is restarted has ended. For a person the next one is due at once, and counts as a person's start; for ill
 * health it comes after the wait that is kept with the health, and counts.
 */
export async function recordWantedRestart(db: Db, id: string, run: number): Promise<void> {
  await db.query(
    `with for_health as (select (select restart_delay_ms from health where container_id = $1) as delay_ms)
     update containers
        set state = 'restarting', restart_delay_ms = 0, is_stopped_by_user = false,
            restart_at = clock_timestamp() + coalesce(delay_ms, 0) * interval '1 millisecond',
            restart_count = case when delay_ms is null then 0 else restart_count + 1 end
       from for_health
      where id = $1 and run = $2 and state = 'exited'`,
    [id, run],
  );
}

/** It was to be restarted and is not: somebody stopped it, or its restart failed for good. */
export async function cancelRestart(db: Db, id: string, error: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "update containers set state = 'exited', restart_at = null, wants_restart = false, error = $2 where id = $1 and state = 'restarting'",
    [id, error],
  );
  return rowCount === 1;
}

/** Those that wait for a restart, the next one first. */
export async function dueRestarts(db: Db, node: string): Promise<(ContainerRow & { readonly due_in_ms: number })[]> {
  const { rows } = await db.query<ContainerRow & { due_in_ms: number }>(
    `select *, (extract(epoch from restart_at - clock_timestamp()) * 1000)::float8 as due_in_ms
       from containers where node = $1 and state = 'restarting' order by restart_at`,
    [node],
  );
  return rows;
}

export async function postponeRestart(db: Db, id: string, delayMs: number, error: string): Promise<void> {
  await db.query(
    `update containers
        set restart_delay_ms = $2::int, restart_count = restart_count + 1, error = $3,
            restart_at = clock_timestamp() + $2::int * interval '1 millisecond'
      where id = $1 and state = 'restarting'`,
    [id, delayMs, error],
  );
}
