import { within } from "../kit/deadlines.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER, driverNamed } from "./drivers/driver.ts";
import { lockUnreferenced, lockVolume } from "./store.ts";
import { type Volume, volumeVanishes } from "./volume.ts";

/** Below the 15 s after which Postgres ends a transaction that waits for its client. */
const ATTACH_TIMEOUT_MS = 10_000;

/**
 * The content of these volumes is at their mountpoints afterwards. What is not there yet is made under the volume's row:
 * a removal, or the last container that goes while another comes, is waited for and then respected.
 * Throws ABORTED VOLUME_VANISHES, FAILED_PRECONDITION VOLUME_MOUNT_REFUSED.
 */
export async function attachAll(
  volumes: readonly Volume[],
  deps: Pick<Deps, "db" | "node" | "drivers">,
  signal: AbortSignal,
): Promise<void> {
  const ready = await Promise.all(volumes.map((volume) => driverNamed(deps.drivers, volume.driver).isReady(volume)));
  const missing = volumes.filter((_, index) => !ready[index]);
  if (missing.length === 0) return;
  const patience = within(signal, ATTACH_TIMEOUT_MS, "mount volumes");
  await underRow(missing, deps, (volume) => driverNamed(deps.drivers, volume.driver).attach(volume, patience));
}

/** The volume has what it needs on the host; nothing is mounted. Throws ABORTED VOLUME_VANISHES. */
export async function createOnHost(volume: Volume, deps: Pick<Deps, "db" | "node" | "drivers">): Promise<void> {
  await underRow([volume], deps, (locked) => driverNamed(deps.drivers, locked.driver).create(locked));
}

async function underRow(
  volumes: readonly Volume[],
  { db, node }: Pick<Deps, "db" | "node">,
  work: (volume: Volume) => Promise<void>,
): Promise<void> {
  await db.transaction(async (tx) => {
    // all in one order, so that two who lock several never wait for each other
    for (const { id, name } of volumes.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
      const locked = await lockVolume(tx, node, name);
      if (locked?.id !== id) throw volumeVanishes(name);
      await work(locked);
    }
  });
}

/** Unmounts those of the volumes that nobody refers to any more. */
export async function detachIdle(
  ids: readonly string[],
  { db, node, drivers }: Pick<Deps, "db" | "node" | "drivers">,
): Promise<void> {
  if (ids.length === 0) return;
  await db.transaction(async (tx) => {
    for (const volume of await lockUnreferenced(tx, node, { ids })) {
      if (!isPlain(volume)) await driverNamed(drivers, volume.driver).detach(volume);
    }
  });
}

/** Nothing but a directory: nothing to mount. */
export function isPlain(volume: Volume): boolean {
  return volume.driver === DEFAULT_DRIVER && Object.keys(volume.options).length === 0;
}
