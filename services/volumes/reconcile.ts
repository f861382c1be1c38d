import { asCtlError } from "../kit/errors.ts";
import { readMountinfo } from "../kit/linux/mountinfo.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { detachIdle, isPlain } from "./attachment.ts";
import { letGoIfDead } from "./content/hold.ts";
import { tryLockContent } from "./content/lock.ts";
import { dropAbandoned } from "./content/new-content.ts";
import { dropLeftovers, moveIn } from "./copy-up/fill.ts";
import { isStagingName } from "./copy-up/fillable.ts";
import { recordCreated } from "./create.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER, driverNamed } from "./drivers/driver.ts";
import { allContents, contentsOf, ensureDirectory, type VolumeDirectories } from "./drivers/local/directories.ts";
import { allVolumes, insertVolumes, lockVolumeIfFree, volumeNamed, workingHolders } from "./store.ts";
import { looksAnonymous, type Volume, type VolumeName } from "./volume.ts";

/**
 * Makes rows and host agree again, losing no content: a row whose directory is missing gets it back, or an empty one; a
 * directory without a row gets one; a copy-up that was cut off is finished or thrown away; a mount that nobody refers to
 * ends. What it mends is in the log. Harmless beside everything else that goes on, in any replica.
 */
export async function reconcile(deps: Deps, directories: VolumeDirectories, signal: AbortSignal): Promise<void> {
  // directories first: a volume that comes later has its row before its directory
  const contents = await allContents(directories);
  const all = await allVolumes(deps.db, deps.node);
  const volumes = all.filter(({ driver }) => driver === DEFAULT_DRIVER);
  const names = new Set(all.map(({ name }) => name));
  for (const volume of volumes) {
    if (!contents.has(volume.name)) await mending(volume.name, deps, () => mendDirectory(volume, deps, directories));
    if (isCutOff(volume, contents.get(volume.name))) {
      await mending(volume.name, deps, () => finishCopyUp(volume, deps, signal));
    }
  }
  for (const name of contents.keys()) {
    if (!names.has(name)) await mending(name, deps, () => adoptDirectory(name, deps, directories));
  }
  await endIdleMounts(all, deps);
  await clearUpWork(deps, signal);
}

/** What a clone, a backup or a restore left that was killed: also in another replica, so it is looked for often. */
export async function clearUpWork(deps: Deps, signal: AbortSignal): Promise<void> {
  for (const id of await dropAbandoned(deps, signal)) {
    deps.log.warn({ [attribute.path]: id }, "content that was not completed is deleted");
  }
  for (const holder of await workingHolders(deps.db, deps.node)) {
    if (!(await letGoIfDead(holder, deps, signal))) continue;
    deps.log.warn({ "ctl.holder": holder }, "volume let go: who read it was cut off");
  }
}

/** One volume that cannot be mended keeps no other from it. */
async function mending(name: VolumeName, { log }: Deps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const known = asCtlError(error, `mend volume "${name}"`);
    if (known.code === "UNAVAILABLE" || known.code === "CANCELLED") throw error;
    log.error({ [attribute.volumeName]: name, err: known }, "volume not mended");
  }
}

async function mendDirectory({ id }: Volume, { db, log }: Deps, directories: VolumeDirectories): Promise<void> {
  await db.transaction(async (tx) => {
    const volume = await lockVolumeIfFree(tx, id); // not while it is being removed
    if (volume === undefined) return;
    const origin = await ensureDirectory(directories, volume);
    const fields = { [attribute.volumeName]: volume.name };
    if (origin === "incoming") log.warn(fields, "volume has its content now: what made it had been cut off");
    if (origin === "restored") log.warn(fields, "volume back from the trash: its removal had not been completed");
    if (origin === "made") log.warn(fields, "volume's directory was missing: it has an empty one now");
  });
}

function isCutOff(volume: Volume, contents: readonly string[] | undefined): boolean {
  return volume.staged !== undefined || contents?.some(isStagingName) === true;
}

async function finishCopyUp({ id, name }: Volume, deps: Deps, signal: AbortSignal): Promise<void> {
  await using lock = await tryLockContent(deps.db, id, signal);
  if (lock === undefined) return; // it is going on
  const volume = await volumeNamed(deps.db, deps.node, name);
  if (volume?.id !== id) return;
  if (volume.staged === undefined) await dropLeftovers(volume, deps, lock.signal);
  else await moveIn(volume, volume.staged, deps, lock.signal);
  deps.log.warn({ [attribute.volumeName]: name }, "copy-up that was cut off is cleared up");
}

/** Rows are lost with a database; a person's data is not lost with them. */
async function adoptDirectory(
  name: VolumeName,
  { db, node, log }: Deps,
  directories: VolumeDirectories,
): Promise<void> {
  const isAnonymous = looksAnonymous(name);
  await db.transaction(async (tx) => {
    const lost = { name, driver: DEFAULT_DRIVER, options: {}, labels: {}, isAnonymous };
    const [volume] = await insertVolumes(tx, node, [lost], { name: "host" });
    if (volume === undefined) return;
    if ((await contentsOf(directories, { name })).length === 0) throw new Error("its directory went meanwhile");
    await recordCreated(tx, volume);
    log.warn({ [attribute.volumeName]: name }, "directory without a volume: there is one of its name again");
  });
}

async function endIdleMounts(volumes: readonly Volume[], deps: Deps): Promise<void> {
  const idle = volumes.filter((volume) => !isPlain(volume) && volume.holders.length === 0);
  if (idle.length === 0) return;
  const mountPoints = new Set((await readMountinfo()).map(({ mountPoint }) => mountPoint));
  for (const volume of idle) {
    if (!mountPoints.has(driverNamed(deps.drivers, volume.driver).mountpoint(volume))) continue;
    await mending(volume.name, deps, () => detachIdle([volume.id], deps));
    deps.log.warn({ [attribute.volumeName]: volume.name }, "volume unmounted: nobody referred to it");
  }
}
