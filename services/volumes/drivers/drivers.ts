import { DEFAULT_DRIVER, type Drivers } from "./driver.ts";
import type { VolumeDirectories } from "./local/directories.ts";
import { createLocalDriver } from "./local.ts";
import { isPluginName } from "./plugin/find-plugin.ts";
import { createPluginDriver } from "./plugin.ts";

/** `local`, and any plugin: one is looked for when it is used, since plugins come and go while this service runs. */
export function createDrivers(directories: VolumeDirectories): Drivers {
  const local = createLocalDriver(directories);
  return {
    get: (name) => {
      if (name === DEFAULT_DRIVER) return local;
      return isPluginName(name) ? createPluginDriver(name, directories, local) : undefined;
    },
  };
}
