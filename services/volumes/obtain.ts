import type { Db } from "../kit/database.ts";
import { checkSameVolume, recordCreated } from "./create.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER, driverNamed } from "./drivers/driver.ts";
import type { VolumeMount } from "./mounts/mount.ts";
import type { Holder } from "./references.ts";
import { adoptVolumes, insertVolumes, keepVolumes, type NewVolume } from "./store.ts";
import { randomVolumeName, type Volume, volumeVanishes } from "./volume.ts";

export interface Obtained {
  readonly mount: VolumeMount;
  readonly volume: Volume;
  readonly isNew: boolean;
}

/** A volume that is there when it is looked for may be removed before it is kept; so often in a row nobody does that. */
const ATTEMPTS = 5;

/**
 * The volumes of these mounts, made where they are missing, none of them removable until the transaction ends: named ones
 * by their name, and a new one for each mount without. In the order of the mounts.
 */
export async function obtainVolumes(
  tx: Db,
  mounts: readonly VolumeMount[],
  { operation, holder }: Holder,
  { node, drivers }: Pick<Deps, "node" | "drivers">,
): Promise<Obtained[]> {
  const wanted = mounts.map((mount) => ({ mount, volume: wantedVolume(mount) }));
  const made = new Map<string, Volume>();
  const kept = new Map<string, Volume>();
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const missing = wanted.map(({ volume }) => volume).filter(({ name }) => !made.has(name) && !kept.has(name));
    if (missing.length === 0) break;
    const named = missing.filter((volume) => !volume.isAnonymous).map((volume) => volume.name);
    if (named.length > 0) remember(kept, await keepVolumes(tx, node, named));
    const absent = distinct(missing.filter(({ name }) => !kept.has(name)));
    for (const { driver, options } of absent) driverNamed(drivers, driver).checkOptions(options);
    if (absent.length > 0)
      remember(made, await insertVolumes(tx, node, absent, { operation, name: `container:${holder}` }));
  }
  for (const volume of made.values()) await recordCreated(tx, volume);
  const others = [...kept.values()].filter(({ madeBy }) => madeBy !== undefined && madeBy !== operation);
  if (others.length > 0)
    await adoptVolumes(
      tx,
      others.map(({ id }) => id),
    );
  return wanted.map(({ mount, volume: { name } }) => {
    const volume = made.get(name) ?? kept.get(name);
    if (volume === undefined) throw volumeVanishes(name);
    checkSameVolume(volume, mount.driver, mount.driverOptions);
    return { mount, volume, isNew: made.has(name) };
  });
}

function wantedVolume(mount: VolumeMount): NewVolume {
  return {
    name: mount.name ?? randomVolumeName(),
    driver: mount.driver ?? DEFAULT_DRIVER,
    options: mount.driverOptions,
    labels: mount.labels,
    isAnonymous: mount.name === undefined,
  };
}

/** A container may mount one volume at two places. */
function distinct(volumes: readonly NewVolume[]): NewVolume[] {
  return [...new Map(volumes.map((volume) => [volume.name, volume])).values()];
}

function remember(known: Map<string, Volume>, volumes: readonly Volume[]): void {
  for (const volume of volumes) known.set(volume.name, volume);
}
