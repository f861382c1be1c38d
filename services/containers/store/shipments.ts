import type { Db } from "../../kit/database.ts";

export interface ShippedRun {
  readonly id: string;
  readonly run: number;
}

/** Containers with a log driver that sends on, as soon as they have run; also while they are being removed. */
export async function shippedContainers(db: Db, node: string): Promise<ShippedRun[]> {
  const { rows } = await db.query<ShippedRun>(
    "select id, run from containers where node = $1 and ships_logs and run > 0 and not is_cleaned",
    [node],
  );
  return rows;
}
