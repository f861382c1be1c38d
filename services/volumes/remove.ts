import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { type Deps, SCHEMA } from "./deps.ts";
import { driverNamed } from "./drivers/driver.ts";
import { deleteVolume, lockVolume } from "./store.ts";
import { type Volume, volumeNotFound } from "./volume.ts";

export interface RemoveRequest {
  readonly name: string;
  /** A volume that does not exist is no error. */
  readonly force: boolean;
}

/**
 * Removes a volume and its content. Throws NOT_FOUND VOLUME_NOT_FOUND, FAILED_PRECONDITION VOLUME_IN_USE naming the
 * containers, and VOLUME_BUSY when something else is mounted in it.
 */
export async function remove(
  { name, force }: RemoveRequest,
  { db, node, drivers }: Pick<Deps, "db" | "node" | "drivers">,
): Promise<{ changed: boolean }> {
  return db.transaction(async (tx) => {
    const volume = await lockVolume(tx, node, name);
    if (volume === undefined) {
      if (force) return { changed: false };
      throw volumeNotFound(name, `remove volume "${name}"`);
    }
    if (volume.holders.length > 0) throw volumeInUse(volume, `remove volume "${name}"`);
    await discard(tx, volume, drivers);
    return { changed: true };
  });
}

/**
 * Takes a locked volume that nobody refers to away. The content is renamed into the trash before the row's deletion is
 * committed: a crash in between leaves the row, and with it the content comes back; afterwards upkeep deletes it.
 */
export async function discard(tx: Db, volume: Volume, drivers: Deps["drivers"]): Promise<void> {
  const driver = driverNamed(drivers, volume.driver);
  await driver.detach(volume);
  await driver.discard(volume);
  await deleteVolume(tx, volume.id);
  await recordEvent(tx, SCHEMA, {
    type: "volume",
    action: "destroy",
    subject: volume.name,
    attributes: { driver: volume.driver },
  });
}

export function volumeInUse({ holders }: Volume, what: string): CtlError {
  const containers = holders.map((holder) => holder.slice(0, 12)).join(", ");
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_IN_USE",
    what,
    why: `it is in use by ${holders.length === 1 ? "container" : "containers"} ${containers}`,
    fix: `remove ${holders.length === 1 ? "that container" : "those containers"} first (ctl rm)`,
  });
}
