import { join } from "node:path";
import { hasMountWithin } from "../../kit/linux/mountinfo.ts";
import type { DriverVolume, VolumeDriver } from "./driver.ts";
import {
  contentsOf,
  dataOf,
  directoryOf,
  ensureDirectory,
  hasData,
  moveToTrash,
  type VolumeDirectories,
} from "./local/directories.ts";
import { createMounting, isMounted, volumeBusy } from "./local/mounting.ts";
import { parseLocalOptions, restrictionsOf } from "./local/options.ts";

/**
 * Docker's `local` driver: a directory of this host, with options a mount on it (bind, tmpfs, nfs, anything mount(2)
 * takes). A mount is made for the first container that refers to the volume and ends with the last.
 */
export function createLocalDriver(directories: VolumeDirectories): VolumeDriver {
  const mounting = createMounting();
  return {
    checkOptions: (options) => {
      parseLocalOptions(options);
    },
    mountpoint: (volume) => dataOf(directories, volume),
    restrictions: ({ options }) => restrictionsOf(parseLocalOptions(options)),
    create: async (volume) => {
      await ensureDirectory(directories, volume);
    },
    isReady: async (volume) =>
      hasMount(volume) ? isMounted(dataOf(directories, volume)) : hasData(await contentsOf(directories, volume)),
    attach: async (volume, signal) => {
      await ensureDirectory(directories, volume);
      const mount = parseLocalOptions(volume.options);
      if (mount !== undefined) await mounting.mount(mount, dataOf(directories, volume), signal);
    },
    detach: async (volume) => {
      if (hasMount(volume)) await mounting.unmount(dataOf(directories, volume));
    },
    discard: async (volume) => {
      // deleting must never reach into what is only mounted here, by us or by anybody
      if (await hasMountWithin(directoryOf(directories, volume))) {
        throw volumeBusy(directoryOf(directories, volume), "something is mounted in the volume");
      }
      await moveToTrash(directories, volume);
    },
    stagingDirectory: (volume, name) =>
      hasMount(volume) ? join(dataOf(directories, volume), name) : join(directoryOf(directories, volume), name),
  };
}

function hasMount(volume: DriverVolume): boolean {
  return Object.keys(volume.options).length > 0;
}
