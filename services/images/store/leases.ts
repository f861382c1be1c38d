import type { Db } from "../../kit/database.ts";

/** The same holder gets the same lease again, and keeps what an earlier operation acquired. */
export async function leaseImage(db: Db, imageId: string, holder: string, operation: string): Promise<void> {
  await db.query(
    `insert into leases (holder, image_id, acquired_by) values ($1, $2, $3) on conflict (holder, image_id) do nothing`,
    [holder, imageId, operation],
  );
}

export async function undoLease(db: Db, holder: string, operation: string): Promise<void> {
  await db.query("delete from leases where holder = $1 and acquired_by = $2", [holder, operation]);
}

export async function releaseLeases(db: Db, holder: string): Promise<void> {
  await db.query("delete from leases where holder = $1", [holder]);
}

/** Who holds what, by image. */
export async function leaseHolders(db: Db): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ image_id: string; holders: string[] }>(
    "select image_id, array_agg(holder) as holders from leases group by image_id",
  );
  return new Map(rows.map(({ image_id, holders }) => [image_id, holders]));
}

export async function holdersOf(db: Db, imageId: string): Promise<string[]> {
  const { rows } = await db.query<{ holder: string }>(
    "select holder from leases where image_id = $1 order by created_at",
    [imageId],
  );
  return rows.map((row) => row.holder);
}
