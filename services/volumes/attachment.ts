import { within } from "../kit/deadlines.ts";
import type { Deps } from "./deps.ts";
import { driverNamed } from "./drivers/driver.ts";
import { lockUnreferenced, lockVolume } from "./store.ts";
import { type Volume, volumeNotFound } from "./volume.ts";

/** Below the 15 s after which Postgres ends a transaction that waits for its client. */
const ATTACH_TIMEOUT_MS = 10_000;

/**
 * The volume's content is at its mountpoint afterwards. Whether to mount or to unmount is decided under the volume's row:
 * a container that comes meets the last one that goes. A plain directory needs no such care.
 */
export async function attach(
  volume: Volume,
  { db, node, drivers }: Pick<Deps, "db" | "node" | "drivers">,
  signal: AbortSignal,
): Promise<void> {
  const driver = driverNamed(drivers, volume.driver);
  if (isPlain(volume)) return driver.attach(volume, signal);
  const patience = within(signal, ATTACH_TIMEOUT_MS, `mount the volume "${volume.name}"`);
  await db.transaction(async (tx) => {
    const locked = await lockVolume(tx, node, volume.name);
    if (locked?.id !== volume.id) throw volumeNotFound(volume.name, "mount a volume");
    await driver.attach(volume, patience);
  });
}

/** Unmounts those of the volumes that nobody refers to any more. */
export async function detachIdle(
  ids: readonly string[],
  { db, node, drivers }: Pick<Deps, "db" | "node" | "drivers">,
): Promise<void> {
  await db.transaction(async (tx) => {
    for (const volume of await lockUnreferenced(tx, node, { ids })) {
      if (!isPlain(volume)) await driverNamed(drivers, volume.driver).detach(volume);
    }
  });
}

/** Nothing but a directory: nothing to mount. */
export function isPlain(volume: Volume): boolean {
  return Object.keys(volume.options).length === 0;
}
