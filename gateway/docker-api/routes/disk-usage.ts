import type { FastifyInstance } from "fastify";
import { allOf } from "../../../services/kit/parallel.ts";
import { json } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { containerSummary } from "../translate/container.ts";
import { isRunning } from "../translate/container-state.ts";
import { imageSummary } from "../translate/image.ts";
import { volumeInspect } from "../translate/volume.ts";
import type { ApiVersion } from "../versions.ts";

/** `docker system df`: what images, containers and volumes weigh. A volume's size is not known: -1. */
export function diskUsageRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get("/system/df", async (request, reply) => {
    const things = await weigh(deps, request.call);
    return json(reply, request.apiVersion.minor < 52 ? legacyUsage(things, request.apiVersion) : usage(things));
  });
}

type Things = Awaited<ReturnType<typeof weigh>>;

async function weigh(deps: DockerApiDeps, call: ApiCall) {
  const listing = (signal: AbortSignal) => ({ ...call, signal });
  const [images, containers, volumes, layers] = await allOf(
    [
      (signal) =>
        allPages(
          (page) => deps.images.listImages({ filters: [], ...page }, listing(signal)),
          (response) => response.images,
        ),
      (signal) =>
        allPages(
          (page) =>
            deps.containers.listContainers(
              { all: true, filters: [], last: 0, withSize: true, ...page },
              listing(signal),
            ),
          (response) => response.containers,
        ),
      (signal) =>
        allPages(
          (page) => deps.volumes.listVolumes({ filters: [], ...page }, listing(signal)),
          (response) => response.volumes,
        ),
      (signal) => deps.layers.usage({}, listing(signal)),
    ],
    call.signal,
  );
  return { images, containers, volumes, layers };
}

/** Until 1.51: the lists themselves, which the client adds up. */
function legacyUsage({ images, containers, volumes, layers }: Things, version: ApiVersion) {
  const nowMs = Date.now();
  return {
    LayersSize: layers.layerBytes,
    Images: images.map((image) => ({ ...imageSummary(image, version), Containers: image.leaseCount, SharedSize: 0 })),
    Containers: containers.map((container) => containerSummary(container, version, nowMs)),
    Volumes: volumes.map((volume) => ({
      ...volumeInspect(volume),
      UsageData: { RefCount: volume.holders.length, Size: -1 },
    })),
    BuildCache: [],
  };
}

/** Since 1.52: sums. */
function usage({ images, containers, volumes, layers }: Things) {
  const unused = images.filter(({ leaseCount }) => leaseCount === 0);
  const resting = containers.filter((container) => !isRunning(container));
  return {
    ImageUsage: {
      ActiveCount: images.length - unused.length,
      TotalCount: images.length,
      Reclaimable: sum(unused.map(({ sizeBytes }) => sizeBytes)),
      TotalSize: layers.layerBytes,
    },
    ContainerUsage: {
      ActiveCount: containers.length - resting.length,
      TotalCount: containers.length,
      Reclaimable: sum(resting.map(({ sizeRwBytes }) => sizeRwBytes ?? 0)),
      TotalSize: sum(containers.map(({ sizeRwBytes }) => sizeRwBytes ?? 0)),
    },
    VolumeUsage: {
      ActiveCount: volumes.filter(({ holders }) => holders.length > 0).length,
      TotalCount: volumes.length,
      Reclaimable: 0,
      TotalSize: 0,
    },
    BuildCacheUsage: { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 },
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
