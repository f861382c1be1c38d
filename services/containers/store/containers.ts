import type { Db } from "../../kit/database.ts";
import type { ContainerState } from "../lifecycle.ts";
import type { Given } from "../run/given.ts";
import type { ContainerSpec } from "../spec/spec.ts";

export interface ContainerRow {
  readonly id: string;
  readonly node: string;
  readonly name: string;
  readonly created_by: string;
  readonly created_at: Date;
  readonly state: ContainerState;
  readonly wish: Buffer;
  readonly spec: ContainerSpec;
  readonly labels: Record<string, string>;
  readonly image: string;
  readonly image_id: string;
  readonly image_digest: string;
  readonly image_config: Buffer;
  readonly command: string[];
  readonly restart_mode: "no" | "always" | "unless-stopped" | "on-failure";
  readonly restart_max: number;
  readonly auto_remove: boolean;
  readonly run: number;
  readonly started_by: string | null;
  readonly pid: number;
  readonly start_ticks: string;
  readonly epoch: string;
  readonly runtime: string;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly exit_code: number | null;
  readonly oom_killed: boolean;
  readonly error: string;
  readonly restart_count: number;
  readonly restart_delay_ms: number;
  readonly restart_at: Date | null;
  readonly is_stopped_by_user: boolean;
  readonly wants_restart: boolean;
  readonly given: Given | null;
  readonly layers: string[];
  readonly layers_directory: string;
  readonly has_sandbox: boolean;
  readonly wants_start: boolean;
  readonly is_released: boolean;
  readonly is_cleaned: boolean;
  readonly summary: Buffer;
  /** Of the last run; null: it has not ended, or the kernel did not say. */
  readonly peak_memory_bytes: string | null;
}

export type NewContainer = Pick<
  ContainerRow,
  | "id"
  | "node"
  | "name"
  | "created_by"
  | "wish"
  | "spec"
  | "labels"
  | "image"
  | "image_id"
  | "image_digest"
  | "image_config"
  | "command"
  | "restart_mode"
  | "restart_max"
  | "auto_remove"
  | "layers"
  | "layers_directory"
  | "summary"
>;

/** Throws the violated constraint containers_name when the name is taken. False: it is there already. */
export async function insertContainer(db: Db, row: NewContainer): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into containers (id, node, name, created_by, wish, spec, labels, image, image_id, image_digest, image_config,
                             command, restart_mode, restart_max, auto_remove, layers, layers_directory, summary)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
     on conflict (id) do nothing`,
    [
      row.id,
      row.node,
      row.name,
      row.created_by,
      row.wish,
      JSON.stringify(row.spec),
      JSON.stringify(row.labels),
      row.image,
      row.image_id,
      row.image_digest,
      row.image_config,
      row.command,
      row.restart_mode,
      row.restart_max,
      row.auto_remove,
      row.layers,
      row.layers_directory,
      row.summary,
    ],
  );
  return rowCount === 1;
}

export async function containerById(db: Db, id: string): Promise<ContainerRow | undefined> {
  const { rows } = await db.query<ContainerRow>("select * from containers where id = $1", [id]);
  return rows[0];
}

/** The same, locked until the transaction ends. */
export async function lockContainer(db: Db, id: string): Promise<ContainerRow | undefined> {
  const { rows } = await db.query<ContainerRow>("select * from containers where id = $1 for update", [id]);
  return rows[0];
}

export async function containerIdByName(db: Db, name: string): Promise<string | undefined> {
  const { rows } = await db.query<{ id: string }>("select id from containers where name = $1 and state <> 'removing'", [
    name,
  ]);
  return rows[0]?.id;
}

/**
 * Rows that a reference names: by name before by id before by prefix, as Docker looks. Two rows: the prefix is ambiguous.
 * One that is being removed is found by its id only.
 */
export async function containersByReference(db: Db, reference: string): Promise<ContainerRow[]> {
  const { rows } = await db.query<ContainerRow>(
    `select * from containers
      where (name = $1 and state <> 'removing') or id = $1 or ($2 and id like $1 || '%' and state <> 'removing')
      order by (id = $1) desc, (name = $1 and state <> 'removing') desc
      limit 3`,
    [reference, /^[0-9a-f]{1,64}$/.test(reference)],
  );
  const exact = rows.find((row) => row.id === reference || row.name === reference);
  return exact === undefined ? rows : [exact];
}

/** Newest first. */
export async function allContainers(db: Db, node: string): Promise<ContainerRow[]> {
  const { rows } = await db.query<ContainerRow>(
    "select * from containers where node = $1 order by created_at desc, id",
    [node],
  );
  return rows;
}

/** What `ps` shows without --all: those with a process, and those about to have one again. */
export async function upContainers(db: Db, node: string): Promise<ContainerRow[]> {
  const { rows } = await db.query<ContainerRow>(
    `select * from containers where node = $1 and state in ('running', 'paused', 'restarting')
      order by created_at desc, id`,
    [node],
  );
  return rows;
}

/** Only one that this operation made and that was never started. */
export async function deleteCreatedBy(db: Db, id: string, operation: string): Promise<ContainerRow | undefined> {
  const { rows } = await db.query<ContainerRow>(
    "delete from containers where id = $1 and created_by = $2 returning *",
    [id, operation],
  );
  return rows[0];
}

export interface StartRecord {
  readonly id: string;
  readonly run: number;
  /** Of a person's start; empty: a restart by policy. */
  readonly operation: string;
  readonly pid: number;
  readonly startTicks: number;
  readonly epoch: string;
  readonly runtime: string;
  readonly startedAt: Date;
  readonly given: Given;
}

/** The row of a run that has begun. False: the row moved on meanwhile (removed, or another run). */
export async function recordStart(db: Db, start: StartRecord): Promise<boolean> {
  const { rowCount } = await db.query(
    `update containers
        set state = 'running', run = $2, started_by = $3, pid = $4, start_ticks = $5, epoch = $6, runtime = $7,
            started_at = $8, finished_at = null, exit_code = null, oom_killed = false, error = '', given = $9,
            peak_memory_bytes = null,
            has_sandbox = true, wants_start = false, wants_restart = false, restart_at = null,
            is_stopped_by_user = case when $3 <> '' then false else is_stopped_by_user end,
            restart_count = case when $3 <> '' then 0 else restart_count end,
            restart_delay_ms = case when $3 <> '' then 0 else restart_delay_ms end
      where id = $1 and run < $2 and (state = 'restarting' or ($3 <> '' and state in ('created', 'exited')))`,
    [
      start.id,
      start.run,
      start.operation,
      start.pid,
      start.startTicks,
      start.epoch,
      start.runtime,
      start.startedAt,
      JSON.stringify(start.given),
    ],
  );
  return rowCount === 1;
}

/** In place of the ports that its last start gave. */
export async function recordPublishedPorts(db: Db, id: string, ports: Given["ports"]): Promise<void> {
  await db.query("update containers set given = jsonb_set(given::jsonb, '{ports}', $2::jsonb) where id = $1", [
    id,
    JSON.stringify(ports),
  ]);
}

/** What it was given before its first start; what a start gave stays. */
export async function recordFirstMounts(db: Db, id: string, given: Given): Promise<void> {
  await db.query("update containers set given = $2 where id = $1 and run = 0", [id, JSON.stringify(given)]);
}

export async function recordLayers(db: Db, id: string, layers: readonly string[], directory: string): Promise<void> {
  await db.query("update containers set layers = $2, layers_directory = $3 where id = $1", [id, layers, directory]);
}

export interface ExitRecord {
  readonly id: string;
  readonly run: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly peakMemoryBytes: number | undefined;
  readonly finishedAt: Date;
  /** With `--rm` and a client in the foreground: it goes with its end when that run began since then. */
  readonly removableSince: Date;
}

/**
 * Idempotent by (container, run). One with `--rm` is out of sight from here on, its name free, unless a person restarts it
 * or a client is to come back for its output. Undefined: known already, or no such run.
 */
export async function recordExit(db: Db, exit: ExitRecord): Promise<ContainerRow | undefined> {
  const { rows } = await db.query<ContainerRow>(
    `with known as (
       insert into exits (container_id, run, exit_code, oom_killed, finished_at)
       select $1, $2, $3, $4, $5 where exists (select 1 from containers where id = $1 and run >= $2)
       on conflict do nothing returning 1
     )
     update containers
        set state = case when state = 'removing' then state
                         when auto_remove and not wants_restart
                              and (started_at >= $6 or not coalesce((spec->>'isAwaited')::boolean, false)) then 'removing'
                         else 'exited' end,
            exit_code = $3, oom_killed = $4, finished_at = $5, pid = 0, start_ticks = 0,
            peak_memory_bytes = $7
      where id = $1 and run = $2 and exists (select 1 from known)
      returning *`,
    [
      exit.id,
      exit.run,
      exit.exitCode,
      exit.oomKilled,
      exit.finishedAt,
      exit.removableSince,
      exit.peakMemoryBytes ?? null,
    ],
  );
  return rows[0];
}

/** The last word of a person: also a restart that is under way, or was left half-way, does not come any more. */
export async function markStoppedByUser(db: Db, id: string): Promise<void> {
  await db.query(
    `update containers set is_stopped_by_user = true, wants_start = false, wants_restart = false
      where id = $1 and (not is_stopped_by_user or wants_restart)`,
    [id],
  );
}

export async function moveState(db: Db, id: string, from: readonly ContainerState[], to: ContainerState) {
  const { rowCount } = await db.query("update containers set state = $3 where id = $1 and state = any($2)", [
    id,
    from,
    to,
  ]);
  return rowCount === 1;
}

/** Throws the violated constraint containers_name when the name is taken. */
export async function renameContainer(db: Db, id: string, name: string): Promise<void> {
  await db.query("update containers set name = $2 where id = $1", [id, name]);
}

/** What a container is asked to be from now on. */
export async function updateSpec(db: Db, id: string, spec: ContainerSpec, wish: Buffer): Promise<void> {
  const { restart } = spec;
  const max = restart.mode === "on-failure" ? restart.maxRetries : 0;
  await db.query("update containers set spec = $2, wish = $3, restart_mode = $4, restart_max = $5 where id = $1", [
    id,
    JSON.stringify(spec),
    wish,
    restart.mode,
    max,
  ]);
}

/** What a container asks of networks from now on, and what it has there. */
export async function recordNetworks(
  db: Db,
  id: string,
  { wish, summary, given }: Pick<ContainerRow, "wish" | "summary" | "given">,
): Promise<void> {
  await db.query("update containers set wish = $2, summary = $3, given = $4 where id = $1", [
    id,
    wish,
    summary,
    given === null ? null : JSON.stringify(given),
  ]);
}

/** Of a start that failed; one that ran before keeps nothing but the newer failure. */
export async function recordError(db: Db, id: string, error: string, exitCode: number): Promise<void> {
  await db.query("update containers set error = $2, exit_code = $3 where id = $1 and pid = 0", [id, error, exitCode]);
}

export interface StateCounts {
  readonly running: number;
  readonly paused: number;
  readonly stopped: number;
}

export async function countStates(db: Db, node: string): Promise<StateCounts> {
  const { rows } = await db.query<StateCounts>(
    `select (count(*) filter (where state in ('running', 'restarting')))::int as running,
            (count(*) filter (where state = 'paused'))::int as paused,
            (count(*) filter (where state in ('created', 'exited')))::int as stopped
       from containers where node = $1 and state <> 'removing'`,
    [node],
  );
  return rows[0] ?? { running: 0, paused: 0, stopped: 0 };
}
