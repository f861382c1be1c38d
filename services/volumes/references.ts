import { type Db, violates } from "../kit/database.ts";
import { CtlError, isCtlError } from "../kit/errors.ts";
import { beginStep, beginUndo, type Change, recordEvent } from "../kit/outbox.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { detachIdle } from "./attachment.ts";
import { isFillable } from "./copy-up/fillable.ts";
import { type Deps, SCHEMA } from "./deps.ts";
import { driverNamed, isPluginGone } from "./drivers/driver.ts";
import type { VolumeMount } from "./mounts/mount.ts";
import { obtainVolumes } from "./obtain.ts";
import { discard } from "./remove.ts";
import {
  adoptVolumes,
  type DroppedReference,
  deleteReferences,
  insertReferences,
  lockUnreferenced,
  type NewReference,
  type Reference,
  referencesOf,
} from "./store.ts";
import type { Volume } from "./volume.ts";

/** Who keeps what is acquired, and the operation that acquires it: the idempotency key. */
export interface Holder {
  readonly holder: string;
  readonly operation: string;
}

/**
 * The holder's references by target, made where they are missing. Done again, by whichever operation, they are the same.
 * Throws ABORTED OPERATION_UNDONE and ACQUIRED_MEANWHILE, ALREADY_EXISTS VOLUME_NAME_IN_USE, FAILED_PRECONDITION
 * MOUNT_TARGET_TAKEN, INVALID_ARGUMENT VOLUME_OPTION_INVALID, NOT_FOUND VOLUME_DRIVER_NOT_FOUND.
 */
export async function acquireReferences(
  owner: Holder,
  mounts: readonly VolumeMount[],
  deps: Deps,
): Promise<Map<string, Reference>> {
  if (mounts.length === 0) return new Map(); // nothing is kept, so nothing is written
  try {
    return await deps.db.transaction(async (tx) => {
      await beginStep(tx, owner.operation, `acquire the volumes of ${owner.holder}`);
      const held = byTarget(await referencesOf(tx, deps.node, owner.holder));
      const missing = mounts.filter((mount) => !isHeld(mount, held.get(mount.target)));
      if (missing.length === 0) return held;
      await refer(tx, owner, missing, deps);
      return byTarget(await referencesOf(tx, deps.node, owner.holder));
    });
  } catch (error) {
    if (violates(error, "mount_references_target")) throw acquiredMeanwhile(owner, error);
    throw error;
  }
}

function isHeld(mount: VolumeMount, held: Reference | undefined): boolean {
  if (held === undefined) return false;
  if (mount.name === undefined || mount.name === held.volume.name) return true;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "MOUNT_TARGET_TAKEN",
    what: `mount volume "${mount.name}" at ${mount.target}`,
    why: `the container has volume "${held.volume.name}" there`,
    fix: "make a new container",
  });
}

async function refer(tx: Db, owner: Holder, mounts: readonly VolumeMount[], deps: Deps): Promise<void> {
  const references: NewReference[] = [];
  for (const { mount, volume, isNew } of await obtainVolumes(tx, mounts, owner, deps)) {
    const mayBeFilled = isNew || (await isFillable(driverNamed(deps.drivers, volume.driver).mountpoint(volume)));
    references.push({
      target: mount.target,
      volumeId: volume.id,
      wantsCopyUp: !mount.noCopy && (mayBeFilled || volume.staged !== undefined),
      owner: mayBeFilled ? mount.owner : undefined,
    });
    await recordEvent(tx, SCHEMA, mounted(owner.holder, volume, mount));
  }
  await insertReferences(tx, owner.holder, owner.operation, references);
}

/**
 * Gives back what this operation acquired, and the volumes that it made, unless somebody else refers to them by now; never
 * what the holder had before. It leaves a tombstone: an acquire that arrives late is refused.
 */
export async function undoAcquire(owner: Holder, deps: Deps): Promise<void> {
  const released = await deps.db.transaction(async (tx) => {
    await beginUndo(tx, owner.operation);
    const references = await dropReferences(tx, owner.holder, deps, owner.operation);
    const made = await lockUnreferenced(tx, deps.node, { ids: [], madeBy: owner.operation });
    await discardUnlessBusy(tx, made, deps);
    return references;
  });
  await detachIdle(mountedIds(released), deps);
}

/**
 * Gives back all that the holder has; with `remove` also the volumes without a name that nobody else refers to.
 * A volume that cannot be removed stays, and the log says why.
 */
export async function release(holder: string, anonymous: "keep" | "remove", deps: Deps): Promise<void> {
  const released = await deps.db.transaction(async (tx) => {
    const dropped = await dropReferences(tx, holder, deps);
    const ids = dropped.map(({ volumeId }) => volumeId);
    if (ids.length === 0) return dropped;
    await adoptVolumes(tx, ids); // they were used: what made them is past undoing
    if (anonymous === "remove") {
      const unreferenced = await lockUnreferenced(tx, deps.node, { ids });
      await discardUnlessBusy(
        tx,
        unreferenced.filter(({ isAnonymous }) => isAnonymous),
        deps,
      );
    }
    return dropped;
  });
  await detachIdle(mountedIds(released), deps);
}

function mountedIds(dropped: readonly DroppedReference[]): string[] {
  return dropped.filter(({ mayBeMounted }) => mayBeMounted).map(({ volumeId }) => volumeId);
}

async function dropReferences(tx: Db, holder: string, deps: Deps, operation?: string): Promise<DroppedReference[]> {
  const dropped = await deleteReferences(tx, deps.node, holder, operation);
  for (const { name, driver } of dropped) {
    await recordEvent(tx, SCHEMA, {
      type: "volume",
      action: "unmount",
      subject: name,
      attributes: { driver, container: holder },
    });
  }
  return dropped;
}

async function discardUnlessBusy(tx: Db, volumes: readonly Volume[], deps: Deps): Promise<void> {
  for (const volume of volumes) {
    try {
      await discard(tx, volume, deps.drivers);
    } catch (error) {
      if (!isCtlError(error, "FAILED_PRECONDITION") && !isPluginGone(error)) throw error;
      deps.log.warn({ [attribute.volumeName]: volume.name, err: error }, "volume not removed with its container");
    }
  }
}

function mounted(holder: string, { driver, name }: Volume, { target, isReadOnly }: VolumeMount): Change {
  const attributes = { driver, container: holder, destination: target, "read/write": String(!isReadOnly) };
  return { type: "volume", action: "mount", subject: name, attributes };
}

function byTarget(references: readonly Reference[]): Map<string, Reference> {
  return new Map(references.map((reference) => [reference.target, reference]));
}

function acquiredMeanwhile({ holder }: Holder, cause: unknown): CtlError {
  return new CtlError("ABORTED", {
    reason: "ACQUIRED_MEANWHILE",
    what: `acquire the volumes of ${holder}`,
    why: "another operation acquires them at the same time",
    fix: "try again",
    cause,
  });
}
