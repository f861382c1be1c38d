import type { Database } from "../kit/database.ts";
import { recordEvent } from "../kit/outbox.ts";
import { containerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import type { GivenPort } from "./run/given.ts";
import { recordPublishedPorts } from "./store/containers.ts";

/** What is shown of its published ports, where they changed while it runs. Done again it changes nothing. */
export async function recordPorts(db: Database, reference: string, ports: readonly GivenPort[]): Promise<string> {
  const row = await findContainer(db, reference);
  await db.transaction(async (tx) => {
    await recordPublishedPorts(tx, row.id, ports);
    await recordEvent(tx, db.schema, containerEvent("update", row));
  });
  return row.id;
}
