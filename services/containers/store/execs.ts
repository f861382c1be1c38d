import type { Db } from "../../kit/database.ts";

export interface ExecRow {
  readonly id: string;
  readonly container_id: string;
  readonly created_at: Date;
  readonly spec: Buffer;
  readonly state: "created" | "running" | "exited";
  readonly is_detached: boolean;
  readonly pid: number;
  readonly exit_code: number | null;
}

export async function insertExec(db: Db, row: Pick<ExecRow, "id" | "container_id" | "spec">): Promise<void> {
  await db.query("insert into execs (id, container_id, spec) values ($1, $2, $3)", [
    row.id,
    row.container_id,
    row.spec,
  ]);
}

export async function execById(db: Db, id: string): Promise<ExecRow | undefined> {
  const { rows } = await db.query<ExecRow>("select * from execs where id = $1", [id]);
  return rows[0];
}

/** Whose id begins so: at most two, which is one too many. */
export async function execsByBeginning(db: Db, beginning: string): Promise<ExecRow[]> {
  const { rows } = await db.query<ExecRow>("select * from execs where id like $1 || '%' limit 2", [beginning]);
  return rows;
}

/** Those of one container, or of all on a node; the oldest first. */
export async function listExecRows(db: Db, of: { node: string; containerId: string | undefined }): Promise<ExecRow[]> {
  const { rows } = await db.query<ExecRow>(
    `select e.* from execs e join containers c on c.id = e.container_id
      where c.node = $1 and ($2::text is null or e.container_id = $2) order by e.created_at, e.id`,
    [of.node, of.containerId ?? null],
  );
  return rows;
}

/** False: it was started before; an exec runs once. */
export async function recordExecStart(db: Db, id: string, pid: number, isDetached: boolean): Promise<boolean> {
  const { rowCount } = await db.query(
    "update execs set state = 'running', pid = $2, is_detached = $3 where id = $1 and state = 'created'",
    [id, pid, isDetached],
  );
  return rowCount === 1;
}

export async function runningExecs(db: Db, node: string): Promise<ExecRow[]> {
  const { rows } = await db.query<ExecRow>(
    `select e.* from execs e join containers c on c.id = e.container_id
      where c.node = $1 and e.state = 'running'`,
    [node],
  );
  return rows;
}

export async function recordExecExit(db: Db, id: string, exitCode: number): Promise<void> {
  await db.query("update execs set state = 'exited', pid = 0, exit_code = $2 where id = $1 and state <> 'exited'", [
    id,
    exitCode,
  ]);
}

export async function execIdsOf(db: Db, containerId: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    "select id from execs where container_id = $1 and state = 'running' order by created_at",
    [containerId],
  );
  return rows.map((row) => row.id);
}

/** Docker forgets an exec a while after its end; ended ones are kept an hour for `inspect`. */
export async function trimExecs(db: Db): Promise<void> {
  await db.query("delete from execs where state = 'exited' and created_at < now() - interval '1 hour'");
}
