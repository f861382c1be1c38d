import { stat } from "node:fs/promises";
import { isAbsolute, normalize } from "node:path";
import { deadline, raceSignal } from "../../kit/deadlines.ts";
import { CtlError, isCtlError } from "../../kit/errors.ts";
import { MountFlag } from "../../kit/linux/mount.ts";
import type { DriverVolume, VolumeDriver } from "./driver.ts";
import { dataOf, ensureDirectory, type VolumeDirectories } from "./local/directories.ts";
import { createMounting, isMounted } from "./local/mounting.ts";
import { callPlugin } from "./plugin/call-plugin.ts";
import { findPlugin } from "./plugin/find-plugin.ts";

const LOOK_TIMEOUT_MS = 10_000;

/**
 * A driver that speaks Docker's volume plugin protocol. What the plugin mounts for the first container is bound to the
 * volume's own place, so that the rest of this service knows one place for every volume; the last one's end unmounts it.
 * `volume.id` is the caller's id of Mount and Unmount: the same for all containers, and after a crash.
 */
export function createPluginDriver(name: string, directories: VolumeDirectories, local: VolumeDriver): VolumeDriver {
  const mounting = createMounting();
  const call = (method: string, body: object, signal?: AbortSignal) =>
    callPlugin({ plugin: name, socket: findPlugin(name), method, body }, signal);
  return {
    checkOptions: () => void findPlugin(name), // what options mean the plugin alone knows
    mountpoint: (volume) => dataOf(directories, volume),
    restrictions: () => [],
    create: async (volume) => {
      await checkIsVolumeDriver(name, call);
      if (!(await knows(volume, call))) {
        await call("VolumeDriver.Create", { Name: volume.name, Opts: volume.options });
      }
      await ensureDirectory(directories, volume);
    },
    isReady: (volume) => isMounted(dataOf(directories, volume)),
    attach: async (volume, signal) => {
      await ensureDirectory(directories, volume);
      if (await isMounted(dataOf(directories, volume))) return;
      if (!(await knows(volume, call))) {
        await call("VolumeDriver.Create", { Name: volume.name, Opts: volume.options }, signal);
      }
      const { Mountpoint } = await call("VolumeDriver.Mount", { Name: volume.name, ID: volume.id }, signal);
      try {
        const device = await checkedMountpoint(name, Mountpoint, signal);
        const mount = { type: "none", device, isBind: true, flags: MountFlag.bind | MountFlag.recursive, data: "" };
        await mounting.mount(mount, dataOf(directories, volume), signal);
      } catch (error) {
        await call("VolumeDriver.Unmount", { Name: volume.name, ID: volume.id });
        throw error;
      }
    },
    detach: async (volume) => {
      if (!(await isMounted(dataOf(directories, volume)))) return;
      await mounting.unmount(dataOf(directories, volume));
      await call("VolumeDriver.Unmount", { Name: volume.name, ID: volume.id });
    },
    discard: async (volume) => {
      // one that the plugin does not know any more was removed before: by us, before a crash, or by somebody
      if (await knows(volume, call)) await call("VolumeDriver.Remove", { Name: volume.name });
      await local.discard({ ...volume, options: {} });
    },
    stagingDirectory: (volume, staging) => `${dataOf(directories, volume)}/${staging}`,
  };
}

type Call = (method: string, body: object, signal?: AbortSignal) => Promise<Readonly<Record<string, unknown>>>;

async function checkIsVolumeDriver(name: string, call: Call): Promise<void> {
  const { Implements } = await call("Plugin.Activate", {});
  if (Array.isArray(Implements) && Implements.includes("VolumeDriver")) return;
  throw hostile(name, "it is no volume driver");
}

/** A plugin has no word for "there is none": any error of Get is that. */
async function knows(volume: DriverVolume, call: Call): Promise<boolean> {
  try {
    await call("VolumeDriver.Get", { Name: volume.name });
    return true;
  } catch (error) {
    if (isCtlError(error, "FAILED_PRECONDITION")) return false;
    throw error;
  }
}

/** What containers get as their volume is a directory, and not the host itself. */
async function checkedMountpoint(name: string, said: unknown, signal: AbortSignal): Promise<string> {
  const path = typeof said === "string" && isAbsolute(said) && !said.includes("\0") ? normalize(said) : "/";
  if (path === "/" || path.length > 4000) throw hostile(name, "what it mounted is not at an absolute path");
  const patience = AbortSignal.any([signal, deadline(LOOK_TIMEOUT_MS, `look at ${path}`)]);
  const found = await raceSignal(stat(path), patience, `look at ${path}`).catch(() => undefined);
  if (found?.isDirectory() !== true) throw hostile(name, `${path} is no directory`);
  return path;
}

function hostile(name: string, why: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "VOLUME_PLUGIN_FAILED",
    what: `use the volume driver "${name}"`,
    why,
    fix: "look at the plugin's own log",
  });
}
