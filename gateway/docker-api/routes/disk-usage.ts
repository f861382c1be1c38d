import type { FastifyInstance } from "fastify";
import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import type { Image } from "#proto/ctl/images/v1/images.ts";
import type { Volume } from "#proto/ctl/volumes/v1/volumes.ts";
import { allOf } from "../../../services/kit/parallel.ts";
import { json } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { flag, invalidRequest, type Query, texts } from "../query.ts";
import { containerSummary } from "../translate/container.ts";
import { isRunning } from "../translate/container-state.ts";
import { imageSummary } from "../translate/image.ts";
import { volumeInspect } from "../translate/volume.ts";
import type { ApiVersion } from "../versions.ts";

const TYPES = ["container", "image", "volume", "build-cache"] as const;
type Type = (typeof TYPES)[number];

/** `docker system df`: what images, containers and volumes weigh. */
export function diskUsageRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/system/df", async (request, reply) => {
    const types = typesOf(request.query, request.apiVersion);
    const things = await weigh(types, deps, request.call);
    const isVerbose = flag(request.query, "verbose");
    const { apiVersion } = request;
    return json(reply, apiVersion.minor < 52 ? legacyUsage(things, apiVersion) : usage(things, isVerbose, apiVersion));
  });
}

/** Since 1.42 a client may ask for some types only. */
function typesOf(query: Query, version: ApiVersion): readonly Type[] {
  const wanted = version.minor < 42 ? [] : texts(query, "type");
  const unknown = wanted.find((name) => !TYPES.some((type) => type === name));
  if (unknown !== undefined) throw invalidRequest(`unknown object type: ${unknown}`);
  return wanted.length === 0 ? TYPES : TYPES.filter((type) => wanted.includes(type));
}

/** Undefined: not asked for. */
interface Things {
  readonly images: readonly Image[] | undefined;
  readonly layerBytes: number;
  readonly containers: readonly Container[] | undefined;
  readonly volumes: readonly Volume[] | undefined;
  readonly hasBuildCache: boolean;
}

async function weigh(types: readonly Type[], deps: DockerApiDeps, call: ApiCall): Promise<Things> {
  const [images, usage, containers, volumes] = await allOf(
    [
      async (signal) => (types.includes("image") ? listImages(deps, { ...call, signal }) : undefined),
      async (signal) => (types.includes("image") ? deps.layers.usage({}, { ...call, signal }) : undefined),
      async (signal) => (types.includes("container") ? listContainers(deps, { ...call, signal }) : undefined),
      async (signal) => (types.includes("volume") ? listVolumes(deps, { ...call, signal }) : undefined),
    ],
    call.signal,
  );
  const layerBytes = usage?.layerBytes ?? 0;
  return { images, layerBytes, containers, volumes, hasBuildCache: types.includes("build-cache") };
}

function listImages({ images }: DockerApiDeps, call: ApiCall): Promise<Image[]> {
  return allPages(
    (page) => images.listImages({ filters: [], ...page }, call),
    (response) => response.images,
  );
}

function listContainers({ containers }: DockerApiDeps, call: ApiCall): Promise<Container[]> {
  return allPages(
    (page) => containers.listContainers({ all: true, filters: [], last: 0, withSize: true, ...page }, call),
    (response) => response.containers,
  );
}

function listVolumes({ volumes }: DockerApiDeps, call: ApiCall): Promise<Volume[]> {
  return allPages(
    (page) => volumes.listVolumes({ filters: [], withSize: true, ...page }, call),
    (response) => response.volumes,
  );
}

/** Until 1.51: the lists themselves, which the client adds up. */
function legacyUsage(things: Things, version: ApiVersion) {
  return {
    LayersSize: things.layerBytes,
    Images: imageItems(things, version) ?? null,
    Containers: containerItems(things, version) ?? null,
    Volumes: volumeItems(things) ?? null,
    BuildCache: things.hasBuildCache ? [] : null,
  };
}

function imageItems({ images }: Things, version: ApiVersion) {
  return images?.map((image) => ({ ...imageSummary(image, version), Containers: image.leaseCount, SharedSize: 0 }));
}

function containerItems({ containers }: Things, version: ApiVersion) {
  const nowMs = Date.now();
  return containers?.map((container) => containerSummary(container, version, nowMs));
}

/** What a driver keeps elsewhere has no size: -1. */
function volumeItems({ volumes }: Things) {
  return volumes?.map((volume) => ({
    ...volumeInspect(volume),
    UsageData: { RefCount: volume.holders.length, Size: volume.sizeBytes ?? -1 },
  }));
}

/** Since 1.52: sums, and the lists where the client wants them. */
function usage(things: Things, isVerbose: boolean, version: ApiVersion) {
  const { images, containers, volumes, hasBuildCache, layerBytes } = things;
  const items = <T>(list: readonly T[] | undefined) => (isVerbose && list !== undefined ? { Items: list } : {});
  return {
    ...(images === undefined
      ? {}
      : { ImageUsage: { ...imageSums(images, layerBytes), ...items(imageItems(things, version)) } }),
    ...(containers === undefined
      ? {}
      : { ContainerUsage: { ...containerSums(containers), ...items(containerItems(things, version)) } }),
    ...(volumes === undefined ? {} : { VolumeUsage: { ...volumeSums(volumes), ...items(volumeItems(things)) } }),
    ...(hasBuildCache
      ? { BuildCacheUsage: { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0, ...items([]) } }
      : {}),
  };
}

function imageSums(images: readonly Image[], layerBytes: number) {
  const unused = images.filter(({ leaseCount }) => leaseCount === 0);
  return {
    ActiveCount: images.length - unused.length,
    TotalCount: images.length,
    Reclaimable: sum(unused.map(({ sizeBytes }) => sizeBytes)),
    TotalSize: layerBytes,
  };
}

function containerSums(containers: readonly Container[]) {
  const resting = containers.filter((container) => !isRunning(container));
  return {
    ActiveCount: containers.length - resting.length,
    TotalCount: containers.length,
    Reclaimable: sum(resting.map(({ sizeRwBytes }) => sizeRwBytes ?? 0)),
    TotalSize: sum(containers.map(({ sizeRwBytes }) => sizeRwBytes ?? 0)),
  };
}

function volumeSums(volumes: readonly Volume[]) {
  const unused = volumes.filter(({ holders }) => holders.length === 0);
  return {
    ActiveCount: volumes.length - unused.length,
    TotalCount: volumes.length,
    Reclaimable: sum(unused.map(({ sizeBytes }) => sizeBytes ?? 0)),
    TotalSize: sum(volumes.map(({ sizeBytes }) => sizeBytes ?? 0)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
