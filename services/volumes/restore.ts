import type { Db } from "../kit/database.ts";
import { within } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { isPlain } from "./attachment.ts";
import { type NewContent, newContent } from "./content/new-content.ts";
import { isFillable } from "./copy-up/fillable.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER, driverNamed } from "./drivers/driver.ts";
import { volumeInUse } from "./remove.ts";
import { lockVolume, volumeNamed } from "./store.ts";
import type { StringMap, Volume, VolumeName } from "./volume.ts";

export interface RestoreRequest {
  readonly name: VolumeName;
  /** Replaces content that is there. */
  readonly force: boolean;
  readonly makesDevices: boolean;
  /** For a volume that is not there yet. */
  readonly labels: StringMap;
  /** As `Volume.createdBy` has it. */
  readonly createdBy: string;
}

/** The caller's own deadline may be shorter. */
const RESTORE_TIMEOUT_MS = 24 * 3_600_000;

/**
 * A volume with what a tar holds (plain, gzip or zstd), whose every name is kept inside of it. The archive is unpacked
 * beside the volume, which is replaced when all of it is there: until then, and after a crash, it is as it was.
 * Throws INVALID_ARGUMENT VOLUME_ARCHIVE_CORRUPT and VOLUME_PATH_REFUSED, FAILED_PRECONDITION VOLUME_NOT_EMPTY,
 * VOLUME_IN_USE and VOLUME_NOT_REPLACEABLE, RESOURCE_EXHAUSTED VOLUME_FULL.
 */
export async function restoreVolume(
  request: RestoreRequest,
  archive: AsyncIterable<Uint8Array>,
  deps: Deps,
  signal: AbortSignal,
): Promise<Volume> {
  const { name, force, makesDevices } = request;
  const patience = within(signal, RESTORE_TIMEOUT_MS, `restore volume "${name}"`);
  // seen at the end too; but nobody should send an archive to hear it
  await checkReplaceable(await volumeNamed(deps.db, deps.node, name), force, deps);
  await using content = await newContent(deps, patience);
  const job = { kind: "unpack", path: content.path, makesDevices, userMapping: deps.userMapping } as const;
  for await (const _ of deps.archives.run(job, archive, content.signal)); // it answers nothing but its end
  return await publish(request, content, deps);
}

async function publish(request: RestoreRequest, content: NewContent, deps: Deps): Promise<Volume> {
  const { name, force, labels, createdBy } = request;
  const before = await volumeNamed(deps.db, deps.node, name);
  const kept = before ?? { driver: DEFAULT_DRIVER, options: {}, labels, isAnonymous: false, createdBy };
  const wanted = {
    name,
    driver: kept.driver,
    options: kept.options,
    labels: kept.labels,
    isAnonymous: kept.isAnonymous,
  };
  return content.publish(wanted, kept.createdBy, async (tx: Db) => {
    const volume = await lockVolume(tx, deps.node, name);
    await checkReplaceable(volume, force, deps);
    return volume;
  });
}

async function checkReplaceable(volume: Volume | undefined, force: boolean, deps: Deps): Promise<void> {
  if (volume === undefined) return;
  if (volume.driver !== DEFAULT_DRIVER || !isPlain(volume)) throw notReplaceable(volume);
  if (volume.holders.length > 0) throw volumeInUse(volume, `restore volume "${volume.name}"`);
  const mountpoint = driverNamed(deps.drivers, volume.driver).mountpoint(volume);
  if (!force && !(await isFillable(mountpoint))) throw notEmpty(volume);
}

function notReplaceable({ name, driver }: Volume): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_NOT_REPLACEABLE",
    what: `restore volume "${name}"`,
    why: `its content is not a directory of ours (driver ${driver}, with mount options)`,
    fix: "restore to a new volume, and copy from that what is wanted",
  });
}

function notEmpty({ name }: Volume): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_NOT_EMPTY",
    what: `restore volume "${name}"`,
    why: "there is content in it",
    fix: "restore to another name, or add --force to replace what is there",
  });
}
