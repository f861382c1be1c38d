import type { Db } from "../../kit/database.ts";
import type { ContainerRow } from "./containers.ts";

/** Out of sight: its name is free, and nothing but the end of its row comes after. */
export async function markRemoving(db: Db, id: string): Promise<void> {
  await db.query("update containers set state = 'removing', wants_start = false, restart_at = null where id = $1", [
    id,
  ]);
}

/** Nothing else holds anything for it. True: the row was not released before. */
export async function markReleased(db: Db, id: string): Promise<boolean> {
  const { rowCount } = await db.query(
    "update containers set is_released = true where id = $1 and state = 'removing' and not is_released",
    [id],
  );
  return rowCount === 1;
}

/** What it had on this host is gone. */
export async function markCleaned(db: Db, id: string): Promise<void> {
  await db.query("update containers set is_cleaned = true where id = $1 and state = 'removing'", [id]);
}

/** Ends the rows of which nothing is left. */
export async function deleteGone(db: Db, id: string): Promise<void> {
  await db.query("delete from containers where id = $1 and is_released and is_cleaned", [id]);
}

/** Removals that are not at their end, to go on with after a restart. */
export async function removingContainers(db: Db, node: string): Promise<ContainerRow[]> {
  const { rows } = await db.query<ContainerRow>(
    "select * from containers where node = $1 and state = 'removing' and not is_cleaned",
    [node],
  );
  return rows;
}
