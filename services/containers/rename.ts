import { type Database, violates } from "../kit/database.ts";
import { recordEvent } from "../kit/outbox.ts";
import { nameInUse } from "./create.ts";
import { containerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import { parseContainerName } from "./spec/names.ts";
import { containerIdByName, renameContainer } from "./store/containers.ts";

/** Throws ALREADY_EXISTS CONTAINER_NAME_IN_USE; INVALID_ARGUMENT CONTAINER_NAME_INVALID. */
export async function rename(db: Database, reference: string, newName: string): Promise<string> {
  const name = parseContainerName(newName);
  const row = await findContainer(db, reference);
  try {
    await db.transaction(async (tx) => {
      await renameContainer(tx, row.id, name);
      await recordEvent(tx, db.schema, containerEvent("rename", { ...row, name }, { oldName: `/${row.name}` }));
    });
  } catch (error) {
    if (!violates(error, "containers_name")) throw error;
    throw nameInUse(name, await containerIdByName(db, name), error);
  }
  return row.id;
}
