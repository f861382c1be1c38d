import { randomUUID } from "node:crypto";
import { attachAll, detachIdle } from "../attachment.ts";
import type { Deps } from "../deps.ts";
import { driverNamed } from "../drivers/driver.ts";
import { adoptVolumes, deleteReferences, insertReferences, keepVolumes } from "../store.ts";
import { type Volume, volumeNotFound } from "../volume.ts";
import { lockContent, tryLockContent } from "./lock.ts";

/** A volume that is attached and cannot be removed while somebody reads all of it. */
export interface HeldVolume extends AsyncDisposable {
  readonly volume: Volume;
  /** Host path of its content. */
  readonly path: string;
  /** Aborts with the caller's signal, and when nobody would know any more that we live. */
  readonly signal: AbortSignal;
}

/**
 * Refers to a volume as a container does, under the name `PURPOSE:ID` that `volume inspect` shows. When this process is
 * killed reconcile lets go of it. Throws NOT_FOUND VOLUME_NOT_FOUND, FAILED_PRECONDITION VOLUME_MOUNT_REFUSED.
 */
export async function holdVolume(
  { name, purpose, id = randomUUID() }: { readonly name: string; readonly purpose: string; readonly id?: string },
  deps: Deps,
  signal: AbortSignal,
): Promise<HeldVolume> {
  await using undo = new AsyncDisposableStack();
  const lock = undo.use(await lockContent(deps.db, id, signal));
  const holder = `${purpose}:${id}`;
  undo.defer(() => letGo(holder, deps));
  const volume = await refer(name, holder, deps);
  await attachAll([volume], deps, lock.signal);
  const path = driverNamed(deps.drivers, volume.driver).mountpoint(volume);
  const owned = undo.move();
  return { volume, path, signal: lock.signal, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function refer(name: string, holder: string, { db, node }: Deps): Promise<Volume> {
  return db.transaction(async (tx) => {
    const [volume] = await keepVolumes(tx, node, [name]);
    if (volume === undefined) throw volumeNotFound(name, `use volume "${name}"`);
    await adoptVolumes(tx, [volume.id]); // it is used: what made it is past undoing
    const reference = { target: "/", volumeId: volume.id, wantsCopyUp: false, owner: undefined };
    await insertReferences(tx, holder, holder, [reference]);
    return volume;
  });
}

async function letGo(holder: string, deps: Deps): Promise<void> {
  const dropped = await deleteReferences(deps.db, deps.node, holder);
  await detachIdle(
    dropped.filter(({ mayBeMounted }) => mayBeMounted).map(({ volumeId }) => volumeId),
    deps,
  );
}

/** Lets go for a holder that died; false: it lives. */
export async function letGoIfDead(holder: string, deps: Deps, signal: AbortSignal): Promise<boolean> {
  const id = holder.slice(holder.indexOf(":") + 1);
  await using lock = await tryLockContent(deps.db, id, signal);
  if (lock === undefined) return false;
  await letGo(holder, deps);
  return true;
}
