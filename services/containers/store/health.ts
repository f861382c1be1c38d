import type { Db } from "../../kit/database.ts";
import type { Healthcheck, OnUnhealthy } from "../health/check.ts";
import type { Health, HealthStatus, Probe } from "../health/verdict.ts";
import type { ContainerRow } from "./containers.ts";

interface HealthRow {
  readonly container_id: string;
  readonly status: HealthStatus;
  readonly failing_streak: number;
  readonly log: readonly { start: string; end: string; exitCode: number; output: string }[];
  readonly consequence: string;
}

export interface RecordedHealth extends Health {
  readonly consequence: string;
}

export async function insertHealth(db: Db, containerId: string): Promise<void> {
  await db.query("insert into health (container_id) values ($1) on conflict do nothing", [containerId]);
}

/** A run begins: nothing is known of it yet. */
export async function beginHealth(db: Db, containerId: string): Promise<void> {
  await db.query(
    "update health set status = 'starting', failing_streak = 0, restart_delay_ms = null where container_id = $1",
    [containerId],
  );
}

/** Health of these containers, of those that have a check. */
export async function healthOf(db: Db, containerIds: readonly string[]): Promise<Map<string, RecordedHealth>> {
  if (containerIds.length === 0) return new Map();
  const { rows } = await db.query<HealthRow>("select * from health where container_id = any($1)", [containerIds]);
  return new Map(rows.map((row) => [row.container_id, toHealth(row)]));
}

/** A run that is to be probed, and what is known of its health. */
export interface MonitoredRun
  extends Pick<ContainerRow, "id" | "name" | "image" | "labels" | "run" | "pid" | "start_ticks"> {
  readonly startedAt: Date;
  readonly check: Healthcheck;
  readonly onUnhealthy: OnUnhealthy;
  readonly health: Health;
}

export async function monitoredRuns(db: Db, node: string): Promise<MonitoredRun[]> {
  type Row = Omit<MonitoredRun, "health"> & HealthRow;
  const { rows } = await db.query<Row>(
    `select h.*, c.id, c.name, c.image, c.labels, c.run, c.pid, c.start_ticks, c.started_at as "startedAt",
            c.spec->'healthcheck' as check, c.spec->>'onUnhealthy' as "onUnhealthy"
       from health h join containers c on c.id = h.container_id
      where c.node = $1 and c.state = 'running' and c.started_at is not null and c.spec ? 'healthcheck'`,
    [node],
  );
  return rows.map(({ id, name, image, labels, run, pid, start_ticks, startedAt, check, onUnhealthy, ...health }) => ({
    ...{ id, name, image, labels, run, pid, start_ticks, startedAt, check, onUnhealthy },
    health: toHealth(health),
  }));
}

/** What probes of this run have found. False: another run has begun, or it is gone. */
export async function recordHealth(
  db: Db,
  { id, run }: Pick<MonitoredRun, "id" | "run">,
  { status, failingStreak, log }: Health,
  endsRestarts: boolean,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update health
        set status = $3, failing_streak = $4, log = $5, restarts = case when $6 then 0 else restarts end
      where container_id = $1 and exists (select 1 from containers where id = $1 and run = $2)`,
    [id, run, status, failingStreak, JSON.stringify(log), endsRestarts],
  );
  return rowCount === 1;
}

export async function recordConsequence(db: Db, id: string, text: string): Promise<void> {
  await db.query("update health set consequence = $2 where container_id = $1", [id, text]);
}

export async function healthRestarts(db: Db, id: string): Promise<number> {
  const { rows } = await db.query<{ restarts: number }>("select restarts from health where container_id = $1", [id]);
  return rows[0]?.restarts ?? 0;
}

/** The restart that is wanted now is for ill health, and comes after this wait. */
export async function recordHealthRestart(db: Db, id: string, delayMs: number, text: string): Promise<void> {
  await db.query(
    "update health set restarts = restarts + 1, restart_delay_ms = $2, consequence = $3 where container_id = $1",
    [id, delayMs, text],
  );
}

function toHealth({ status, failing_streak, log, consequence }: HealthRow): RecordedHealth {
  return { status, failingStreak: failing_streak, log: log.map(toProbe), consequence };
}

function toProbe({ start, end, exitCode, output }: HealthRow["log"][number]): Probe {
  return { start: new Date(start), end: new Date(end), exitCode, output };
}
