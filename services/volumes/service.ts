import { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { parseFilters } from "../kit/filters.ts";
import { watchEvents } from "../kit/grpc/events.ts";
import { type Handlers, implement } from "../kit/grpc/handlers.ts";
import { parsePage } from "../kit/grpc/page.ts";
import type { BoundService } from "../kit/grpc/server.ts";
import { inParallel } from "../kit/parallel.ts";
import type { EventFeed } from "../kit/watch.ts";
import { acquire } from "./acquire.ts";
import { backupVolume } from "./backup.ts";
import { cloneVolume } from "./clone.ts";
import { copyUp } from "./copy-up.ts";
import { createVolume } from "./create.ts";
import type { Deps } from "./deps.ts";
import { inspect } from "./inspect.ts";
import { list, VOLUME_FILTERS } from "./list.ts";
import { parseMounts } from "./mounts/mount.ts";
import { pruneVolumes } from "./prune.ts";
import { release, undoAcquire } from "./references.ts";
import { remove } from "./remove.ts";
import { holderFrom, makerOf, mountFrom, mountMessage, volumeMessage } from "./service/messages.ts";
import { restoreCall } from "./service/restore.ts";
import { sizeBytesOf } from "./size.ts";
import { parseVolumeName } from "./volume.ts";

/** Walks side by side; more only make each other wait for the disk. */
const WEIGHED_AT_ONCE = 4;

/** The surface: a request becomes narrow types, an operation does the work, its result becomes the answer. */
export function volumesService(deps: Deps, feed: EventFeed): BoundService {
  const handlers: Handlers<typeof VolumesService> = {
    createVolume: async ({ name, driver, options, labels }, { actor }) => {
      const request = {
        name: unlessEmpty(name, parseVolumeName),
        driver: unlessEmpty(driver, String),
        options,
        labels,
        createdBy: makerOf(actor),
      };
      return { volume: volumeMessage(await createVolume(request, deps), deps.drivers) };
    },
    listVolumes: async (request, { signal }) => {
      const page = parsePage<readonly [string]>(request, 1);
      const { items, nextPageToken } = await list(parseFilters(request.filters, VOLUME_FILTERS), page, deps);
      const sizes = request.withSize
        ? await inParallel(items, (volume, s) => sizeBytesOf(volume, deps.drivers, s), signal, WEIGHED_AT_ONCE)
        : [];
      const volumes = items.map((volume, index) => volumeMessage(volume, deps.drivers, { sizeBytes: sizes[index] }));
      return { volumes, nextPageToken };
    },
    inspectVolume: async ({ ref, withSize }, { signal }) => {
      const { volume, ...more } = await inspect({ name: ref, withSize }, deps, signal);
      return { volume: volumeMessage(volume, deps.drivers, more) };
    },
    removeVolume: async ({ ref, force }) => remove({ name: ref, force }, deps),
    pruneVolumes: async ({ filters, all, dryRun, withoutHolders }, { signal }) => {
      const { removed, reclaimedBytes } = await pruneVolumes(
        { filters, all, isDryRun: dryRun, withoutHolders },
        deps,
        signal,
      );
      return { removed: [...removed], reclaimedBytes };
    },
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
    cloneVolume: async ({ ref: source, name, labels }, { actor, signal }) => {
      const request = { source, name: parseVolumeName(name), labels, createdBy: makerOf(actor) };
      return { volume: volumeMessage(await cloneVolume(request, deps, signal), deps.drivers) };
    },
    backupVolume: async function* ({ ref: name, id }, { signal }) {
      for await (const data of backupVolume({ name, id: unlessEmpty(id, String) }, deps, signal))
        yield { data: Buffer.from(data) };
    },
    restoreVolume: (requests, call) => restoreCall(requests, deps, call),
    watch: (request, { signal }) => watchEvents(feed, request, signal),
  };
  return { definition: VolumesService, implementation: implement(VolumesService, handlers, deps.log) };
}

function unlessEmpty<T>(text: string, parse: (text: string) => T): T | undefined {
  return text === "" ? undefined : parse(text);
}
