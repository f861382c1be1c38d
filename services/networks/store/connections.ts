import type { Db } from "../../kit/database.ts";

/** Its published ports, where they have none of their own any more, are gone with it. False: there is no such endpoint. */
export async function deleteEndpoint(db: Db, holder: string, endpointId: string): Promise<boolean> {
  const { rowCount } = await db.query("delete from endpoints where holder = $1 and id = $2", [holder, endpointId]);
  return rowCount === 1;
}

/** All published ports of a holder lead to this endpoint of it from now on. */
export async function movePorts(db: Db, holder: string, endpointId: string): Promise<void> {
  await db.query(
    `update published_ports p set endpoint_id = $2
       from endpoints e where e.id = p.endpoint_id and e.holder = $1 and p.endpoint_id <> $2`,
    [holder, endpointId],
  );
}

/** Where the holder's next endpoint comes in the order. */
export async function nextPosition(db: Db, holder: string): Promise<number> {
  const { rows } = await db.query<{ next: number }>(
    "select coalesce(max(position) + 1, 0)::int as next from endpoints where holder = $1",
    [holder],
  );
  return rows[0]?.next ?? 0;
}
