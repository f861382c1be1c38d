import { isDeepStrictEqual } from "node:util";
import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { createOnHost } from "./attachment.ts";
import { type Deps, SCHEMA } from "./deps.ts";
import { DEFAULT_DRIVER, driverNamed } from "./drivers/driver.ts";
import { adoptVolumes, deleteVolume, insertVolumes, keepVolumes, lockVolume } from "./store.ts";
import { randomVolumeName, type StringMap, type Volume, type VolumeName, volumeNotFound } from "./volume.ts";

export interface CreateRequest {
  /** Undefined: a random one. */
  readonly name: VolumeName | undefined;
  /** Undefined: `local`. */
  readonly driver: string | undefined;
  readonly options: StringMap;
  readonly labels: StringMap;
  /** As `Volume.createdBy` has it. */
  readonly createdBy: string;
}

/**
 * A volume that a person asks for; the one there is, when it is as asked for (its labels stay as they are).
 * Throws ALREADY_EXISTS VOLUME_NAME_IN_USE, NOT_FOUND VOLUME_DRIVER_NOT_FOUND, INVALID_ARGUMENT VOLUME_OPTION_INVALID.
 */
export async function createVolume(
  request: CreateRequest,
  deps: Pick<Deps, "db" | "node" | "drivers">,
): Promise<Volume> {
  driverNamed(deps.drivers, request.driver ?? DEFAULT_DRIVER).checkOptions(request.options);
  const { volume, isNew } = await deps.db.transaction(async (tx) => {
    const made = await insertOne(tx, deps.node, request);
    return { volume: made ?? (await existing(tx, deps.node, request)), isNew: made !== undefined };
  });
  try {
    await createOnHost(volume, deps);
  } catch (error) {
    if (isNew) await takeBack(volume, deps);
    throw error;
  }
  return volume;
}

/** Its driver could not make it; who refers to it by now finds that out at its own start. */
async function takeBack({ id, name, driver }: Volume, { db, node }: Pick<Deps, "db" | "node">): Promise<void> {
  await db.transaction(async (tx) => {
    const volume = await lockVolume(tx, node, name);
    if (volume?.id !== id || volume.holders.length > 0) return;
    await deleteVolume(tx, id);
    await recordEvent(tx, SCHEMA, { type: "volume", action: "destroy", subject: name, attributes: { driver } });
  });
}

async function insertOne(tx: Db, node: string, request: CreateRequest): Promise<Volume | undefined> {
  const wanted = {
    ...request,
    name: request.name ?? randomVolumeName(),
    driver: request.driver ?? DEFAULT_DRIVER,
    isAnonymous: request.name === undefined,
  };
  const [volume] = await insertVolumes(tx, node, [wanted], { name: request.createdBy });
  if (volume !== undefined) await recordCreated(tx, volume);
  return volume;
}

async function existing(tx: Db, node: string, request: CreateRequest): Promise<Volume> {
  const name = request.name ?? "";
  const [volume] = await keepVolumes(tx, node, [name]);
  if (volume === undefined) throw volumeNotFound(name, `create volume "${name}"`); // removed in between
  checkSameVolume(volume, request.driver, request.options);
  await adoptVolumes(tx, [volume.id]);
  return volume;
}

/**
 * Throws ALREADY_EXISTS VOLUME_NAME_IN_USE when a driver or options are asked for that the volume of that name does not
 * have. Who asks for none takes it as it is, as in Docker.
 */
export function checkSameVolume(volume: Volume, driver: string | undefined, options: StringMap): void {
  const isSameDriver = driver === undefined || volume.driver === driver;
  const hasSameOptions = Object.keys(options).length === 0 || isDeepStrictEqual({ ...volume.options }, { ...options });
  if (isSameDriver && hasSameOptions) return;
  throw new CtlError("ALREADY_EXISTS", {
    reason: "VOLUME_NAME_IN_USE",
    what: `create volume "${volume.name}"`,
    why: `a volume of that name exists with ${isSameDriver ? "other options" : `the driver ${volume.driver}`}`,
    fix: `choose another name, or look at it with ctl volume inspect ${volume.name}`,
  });
}

export async function recordCreated(tx: Db, volume: Volume): Promise<void> {
  await recordEvent(tx, SCHEMA, {
    type: "volume",
    action: "create",
    subject: volume.name,
    attributes: { driver: volume.driver },
  });
}
