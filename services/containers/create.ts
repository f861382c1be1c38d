import { type Database, violates } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { beginStep, beginUndo, recordEvent } from "../kit/outbox.ts";
import { removeAskedParent } from "./cgroups/placement.ts";
import { containerEvent } from "./events.ts";
import type { ContainerHost } from "./host/host.ts";
import { takeDownAll } from "./run/take-down.ts";
import { parseContainerName, randomName } from "./spec/names.ts";
import {
  containerById,
  containerIdByName,
  deleteCreatedBy,
  insertContainer,
  type NewContainer,
} from "./store/containers.ts";
import { insertHealth } from "./store/health.ts";

const NAME_ATTEMPTS = 20;

/**
 * Rows and the reserved name; nothing on the host. Done again by the same operation it answers the same name.
 * Throws ALREADY_EXISTS CONTAINER_NAME_IN_USE; INVALID_ARGUMENT CONTAINER_NAME_INVALID; ABORTED OPERATION_UNDONE.
 */
export async function createContainer(db: Database, wish: Omit<NewContainer, "name">, name: string): Promise<string> {
  if (name !== "") return insert(db, wish, parseContainerName(name));
  for (let attempt = 0; ; attempt++) {
    try {
      return await insert(db, wish, randomName(attempt));
    } catch (error) {
      const isTaken = error instanceof CtlError && error.reason === "CONTAINER_NAME_IN_USE";
      if (!isTaken || attempt === NAME_ATTEMPTS) throw error;
    }
  }
}

async function insert(db: Database, wish: Omit<NewContainer, "name">, name: string): Promise<string> {
  try {
    return await db.transaction(async (tx) => {
      await beginStep(tx, wish.created_by, `create container ${name}`);
      const row = { ...wish, name };
      if (!(await insertContainer(tx, row))) return (await containerById(tx, wish.id))?.name ?? name;
      if (row.spec.healthcheck !== undefined) await insertHealth(tx, row.id);
      await recordEvent(tx, db.schema, containerEvent("create", row));
      // a client in the foreground is attached before the start: told here, it costs no commit of its own
      if (row.spec.isAwaited === true) await recordEvent(tx, db.schema, containerEvent("attach", row));
      return name;
    });
  } catch (error) {
    if (!violates(error, "containers_name")) throw error;
    throw nameInUse(name, await containerIdByName(db, name), error);
  }
}

/** Takes back what this operation created, never another's: what a start of it left on the host, then the row. */
export async function undoCreate(
  db: Database,
  host: ContainerHost,
  id: string,
  operation: string,
  signal: AbortSignal,
): Promise<void> {
  await db.transaction((tx) => beginUndo(tx, operation));
  const row = await containerById(db, id);
  if (row?.created_by !== operation) return;
  await takeDownAll(id, row.run, host, signal);
  await removeAskedParent(host.layout, host.cgroupParent, row.spec.cgroupParent);
  await db.transaction(async (tx) => {
    const gone = await deleteCreatedBy(tx, id, operation);
    if (gone !== undefined) await recordEvent(tx, db.schema, containerEvent("destroy", gone));
  });
}

export function nameInUse(name: string, owner: string | undefined, cause: unknown): CtlError {
  return new CtlError("ALREADY_EXISTS", {
    reason: "CONTAINER_NAME_IN_USE",
    what: `use the name "${name}" for a container`,
    why: `container ${owner?.slice(0, 12) ?? "another"} has that name`,
    fix: `remove it (ctl rm ${name}) or choose another --name`,
    cause,
  });
}
