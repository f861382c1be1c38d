import type { Db } from "../../kit/database.ts";
import type { ContainerState } from "../lifecycle.ts";

/** What must be known of a container to read what it uses. */
export interface StatsRow {
  readonly id: string;
  readonly name: string;
  readonly state: ContainerState;
  readonly run: number;
  readonly pid: number;
  readonly start_ticks: string;
  readonly cgroup_parent: string;
  /** Empty: the host's network. */
  readonly netns_path: string;
}

export interface StatsSelection {
  readonly ids: readonly string[];
  /** Beside those: none, all that run, or all. */
  readonly others: "none" | "running" | "all";
}

/** Newest first. */
export async function statsRows(db: Db, node: string, { ids, others }: StatsSelection): Promise<StatsRow[]> {
  const { rows } = await db.query<StatsRow>(
    `select id, name, state, run, pid, start_ticks, coalesce(spec->>'cgroupParent', '') as cgroup_parent,
            coalesce(given->>'netnsPath', '') as netns_path
       from containers
      where node = $1 and state <> 'removing'
        and (id = any($2) or $3 = 'all' or ($3 = 'running' and state in ('running', 'paused')))
      order by created_at desc, id`,
    [node, ids, others],
  );
  return rows;
}
