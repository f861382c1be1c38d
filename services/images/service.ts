import { ImagesService } from "#proto/ctl/images/v1/images.ts";
import { LayersService } from "#proto/ctl/images/v1/layers.ts";
import { CtlError } from "../kit/errors.ts";
import { watchEvents } from "../kit/grpc/events.ts";
import { type Handlers, implement } from "../kit/grpc/handlers.ts";
import { pageOf, parsePage } from "../kit/grpc/page.ts";
import type { BoundService } from "../kit/grpc/server.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import type { EventFeed } from "../kit/watch.ts";
import { deleteBlobs } from "./collect.ts";
import { findImage } from "./find.ts";
import { acquire, type Holder, release, undoAcquire } from "./leases.ts";
import { listImages } from "./list.ts";
import { pruneImages } from "./prune.ts";
import { removeImage } from "./remove.ts";
import { imageMessage } from "./service/messages.ts";
import { type PullCallDeps, pullCall } from "./service/pull.ts";
import { checkLogin, inspectRemoteCall } from "./service/remote.ts";
import { layerSizesOf, usage } from "./store/layers.ts";
import { tagImage } from "./tag.ts";

export interface ImagesDeps extends PullCallDeps {
  readonly feed: EventFeed;
  readonly log: Logger;
  /** Something may have become unused: the collector should look. */
  readonly onUnused: () => void;
}

/** The gRPC surface: requests become narrow types here, and rows become messages. */
export function imagesServices(deps: ImagesDeps): BoundService[] {
  return [
    { definition: ImagesService, implementation: implement(ImagesService, imagesHandlers(deps), deps.log) },
    { definition: LayersService, implementation: implement(LayersService, layersHandlers(deps), deps.log) },
  ];
}

function imagesHandlers(deps: ImagesDeps): Handlers<typeof ImagesService> {
  const { db, feed } = deps;
  return {
    pull: (request, { signal }) => pullCall(request, deps, signal),
    listImages: async (request) => {
      const page = parsePage<readonly [string]>(request, 1);
      const rows = await listImages(db, request.filters);
      const from = page.after === undefined ? 0 : rows.findIndex((row) => row.id === page.after?.[0]) + 1;
      const { items, nextPageToken } = pageOf(rows.slice(from), page, (row) => [row.id]);
      return { images: items.map(imageMessage), nextPageToken };
    },
    inspectImage: async ({ ref }) => {
      const { row } = await findImage(db, ref);
      return { image: { ...imageMessage(row), layerSizeBytes: await layerSizesOf(db, row.id) } };
    },
    tagImage: async ({ ref, tag }) => ({ id: await tagImage(db, ref, tag), tag }),
    removeImage: async ({ ref, force }) => {
      const { untagged, deleted, blobs } = await removeImage(db, ref, force);
      await deleteBlobs(db, deps.paths, blobs);
      if (deleted.length > 0) deps.onUnused();
      return { untagged: [...untagged], deleted: [...deleted] };
    },
    pruneImages: async ({ filters, all, dryRun, withoutHolders }, { signal }) => {
      const wish = { filters, all, isDryRun: dryRun, withoutHolders };
      const { untagged, deleted, reclaimedBytes, blobs } = await pruneImages(wish, db, deps.node, signal);
      await deleteBlobs(db, deps.paths, blobs);
      if (!dryRun && deleted.length > 0) deps.onUnused();
      return { untagged: [...untagged], deleted: [...deleted], reclaimedBytes };
    },
    inspectRemote: (request, { signal }) => inspectRemoteCall(request, deps, signal),
    checkLogin: async (request, { signal }) => {
      await checkLogin(request, deps, signal);
      return {};
    },
    watch: (request, { signal }) => watchEvents(feed, request, signal),
  };
}

function layersHandlers({ db, node, paths }: ImagesDeps): Handlers<typeof LayersService> {
  return {
    acquire: async ({ holder, reference }) => {
      const { row, layers } = await acquire(db, node, reference, holderOf(holder));
      return { image: imageMessage(row), layers: [...layers], layersDirectory: paths.layers };
    },
    undoAcquire: async ({ holder }) => {
      await undoAcquire(db, holderOf(holder));
      return {};
    },
    release: async ({ holder }) => {
      await release(db, holder);
      return {};
    },
    usage: async () => {
      const found = await usage(db, node);
      return {
        layerBytes: Number(found.layer_bytes),
        blobBytes: Number(found.blob_bytes),
        imageCount: found.image_count,
        layerCount: found.layer_count,
      };
    },
  };
}

function holderOf(holder: Holder | undefined): Holder {
  if (holder !== undefined && holder.holder !== "" && holder.operation !== "") return holder;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "HOLDER_MISSING",
    what: "lease an image",
    why: "the request does not say for whom and by which operation",
  });
}
