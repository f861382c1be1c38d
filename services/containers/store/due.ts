import type { Db } from "../../kit/database.ts";

export type DueAction = "remove" | "deactivate" | "start";

export interface DueRow {
  readonly id: string;
  readonly run: number;
  readonly action: DueAction;
  /** A client in the foreground waits for its output. */
  readonly is_awaited: boolean;
  readonly started_at: Date | null;
  /** Out of sight already. */
  readonly is_removing: boolean;
  readonly has_mounts: boolean;
}

/** What the gateway has to do: `--rm` of what has ended, sandboxes of what has ended, starts after a boot. */
export async function dueContainers(db: Db, node: string): Promise<DueRow[]> {
  const { rows } = await db.query<DueRow>(
    `select id, run, started_at, coalesce((spec->>'isAwaited')::boolean, false) as is_awaited,
            case when wants_start then 'start'
                 when auto_remove and run > 0 then 'remove'
                 else 'deactivate' end as action,
            state = 'removing' as is_removing,
            coalesce(given -> 'mounts' <> '[]', false) as has_mounts
       from containers
      where node = $1
        and ((state = 'exited' and (auto_remove or has_sandbox)) or (wants_start and state in ('created', 'exited'))
             or (state = 'removing' and auto_remove and run > 0 and pid = 0 and not is_released))
      order by finished_at limit 200`,
    [node],
  );
  return rows;
}

export async function clearSandbox(db: Db, id: string, run: number): Promise<void> {
  await db.query("update containers set has_sandbox = false where id = $1 and run = $2 and state <> 'running'", [
    id,
    run,
  ]);
}

/** After a boot the gateway is to start it, also one that waited for a restart or that a person had stopped. */
export async function wantStartAfterBoot(db: Db, id: string): Promise<void> {
  await db.query(
    `update containers set state = 'exited', restart_at = null, is_stopped_by_user = false, wants_start = true
      where id = $1 and state in ('restarting', 'exited')`,
    [id],
  );
}

/** Its sandbox is gone: the gateway is to start it, sandbox and all. */
export async function wantStart(db: Db, id: string): Promise<void> {
  await db.query("update containers set wants_start = true where id = $1 and state in ('created', 'exited')", [id]);
}

export async function clearWantStart(db: Db, id: string): Promise<void> {
  await db.query("update containers set wants_start = false where id = $1", [id]);
}
