import { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import type { BootContext, RunningService } from "../kit/boot.ts";
import type { Settings } from "../kit/config.ts";
import { parseFilters } from "../kit/filters.ts";
import { watchEvents } from "../kit/grpc/events.ts";
import { type Handlers, implement } from "../kit/grpc/handlers.ts";
import { parsePage } from "../kit/grpc/page.ts";
import type { EventFeed } from "../kit/watch.ts";
import { acquire } from "./acquire.ts";
import { createCopySyscalls } from "./copy-up/syscalls.ts";
import { copyUp } from "./copy-up.ts";
import { createVolume } from "./create.ts";
import type { Deps } from "./deps.ts";
import { DEFAULT_DRIVER } from "./drivers/driver.ts";
import { makeTopDirectories, volumeDirectories } from "./drivers/local/directories.ts";
import { createLocalDriver } from "./drivers/local.ts";
import { inspect } from "./inspect.ts";
import { list, VOLUME_FILTERS } from "./list.ts";
import { parseMounts } from "./mounts/mount.ts";
import { release, undoAcquire } from "./references.ts";
import { remove } from "./remove.ts";
import { holderFrom, mountFrom, mountMessage, volumeMessage } from "./service/messages.ts";
import { keepUp } from "./upkeep.ts";
import { parseVolumeName } from "./volume.ts";

/** None beside the kit's. */
export const volumesSettings = {} as const satisfies Settings;

/** The service's surface and its background work, which ends with the context's signal. */
export async function startVolumes(
  context: BootContext<typeof volumesSettings>,
): Promise<RunningService<typeof volumesSettings>> {
  const directories = volumeDirectories(context.config.root);
  await makeTopDirectories(directories);
  const deps: Deps = {
    db: context.db,
    node: context.nodeId,
    drivers: new Map([[DEFAULT_DRIVER, createLocalDriver(directories)]]),
    calls: createCopySyscalls(),
    log: context.log,
  };
  const upkeep = keepUp(deps, directories, context.signal);
  return {
    services: [
      { definition: VolumesService, implementation: implement(VolumesService, handlers(deps, context.feed), deps.log) },
    ],
    [Symbol.asyncDispose]: () => upkeep,
  };
}

function handlers(deps: Deps, feed: EventFeed): Handlers<typeof VolumesService> {
  return {
    createVolume: async ({ name, driver, options, labels }) => {
      const request = {
        name: unlessEmpty(name, parseVolumeName),
        driver: unlessEmpty(driver, String),
        options,
        labels,
      };
      return { volume: volumeMessage(await createVolume(request, deps), deps.drivers) };
    },
    listVolumes: async (request) => {
      const page = parsePage<readonly [string]>(request, 1);
      const { items, nextPageToken } = await list(parseFilters(request.filters, VOLUME_FILTERS), page, deps);
      return { volumes: items.map((volume) => volumeMessage(volume, deps.drivers)), nextPageToken };
    },
    inspectVolume: async ({ ref }) => ({ volume: volumeMessage(await inspect(ref, deps), deps.drivers) }),
    removeVolume: async ({ ref, force }) => remove({ name: ref, force }, deps),
    acquire: async ({ holder, mounts }, { signal }) => {
      const acquired = await acquire(holderFrom(holder), parseMounts(mounts.map(mountFrom)), deps, signal);
      return { mounts: acquired.mounts.map(mountMessage), warnings: [...acquired.warnings] };
    },
    copyUp: async ({ holder, volume, rootfs, target }, { signal }) =>
      copyUp({ ...holderFrom(holder), volume: parseVolumeName(volume), rootfs, target }, deps, signal),
    undoAcquire: async ({ holder }) => {
      await undoAcquire(holderFrom(holder), deps);
      return {};
    },
    release: async ({ holder, removeAnonymous }) => {
      await release(holder, removeAnonymous ? "remove" : "keep", deps);
      return {};
    },
    watch: (request, { signal }) => watchEvents(feed, request, signal),
  };
}

function unlessEmpty<T>(text: string, parse: (text: string) => T): T | undefined {
  return text === "" ? undefined : parse(text);
}
