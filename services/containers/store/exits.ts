import type { Db } from "../../kit/database.ts";

export interface ExitRow {
  readonly run: number;
  readonly exit_code: number;
  readonly oom_killed: boolean;
  readonly finished_at: Date;
}

export async function exitOf(db: Db, containerId: string, run: number): Promise<ExitRow | undefined> {
  const { rows } = await db.query<ExitRow>(
    "select run, exit_code, oom_killed, finished_at from exits where container_id = $1 and run = $2",
    [containerId, run],
  );
  return rows[0];
}
