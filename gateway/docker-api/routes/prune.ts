import type { FastifyInstance } from "fastify";
import type { Filter } from "#proto/ctl/common/v1/common.ts";
import { type Container, ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import { isCtlError } from "../../../services/kit/errors.ts";
import { json } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, invalidRequest, type Query } from "../query.ts";
import { nullIfNone } from "../translate/go-values.ts";

interface ByQuery {
  Querystring: Query;
}

/** `docker … prune`: what nobody uses is removed, one after the other; what is taken into use meanwhile is left. */
export function pruneRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ByQuery>("/containers/prune", async (request, reply) => {
    const wanted = filters(request.query, ["label", "label!", "until"]);
    const stopped = await stoppedContainers(wanted, deps, request.call);
    const remove = ({ id }: Container) =>
      deps.engine.removeContainer({ ref: id, force: false, volumes: false }, request.call);
    const removed = await removeUnused(stopped, remove);
    const SpaceReclaimed = sum(removed.map(({ sizeRwBytes }) => sizeRwBytes ?? 0));
    return json(reply, { ContainersDeleted: nullIfNone(removed.map(({ id }) => id)), SpaceReclaimed });
  });
  app.post<ByQuery>("/images/prune", async (request, reply) =>
    json(reply, await pruneImages(request.query, deps, request.call)),
  );
  app.post<ByQuery>("/networks/prune", async (request, reply) => {
    const wanted = [
      ...known(filters(request.query, ["label", "label!", "until"])),
      { key: "type", values: ["custom"] },
      { key: "dangling", values: ["true"] },
    ];
    const networks = await allPages(
      (page) => deps.networks.listNetworks({ filters: wanted, ...page }, request.call),
      (response) => response.networks,
    );
    const removed = await removeUnused(networks, ({ id }) =>
      deps.networks.removeNetwork({ ref: id, force: true }, request.call),
    );
    return json(reply, { NetworksDeleted: nullIfNone(removed.map(({ name }) => name)) });
  });
  app.post<ByQuery>("/volumes/prune", async (request, reply) => {
    const asked = filters(request.query, ["all", "label", "label!"]);
    // since 1.42 only anonymous ones, unless all are asked for
    const isAll = request.apiVersion.minor < 42 || isTrue(asked, "all");
    const wanted = [...asked.filter(({ key }) => key !== "all"), { key: "dangling", values: ["true"] }];
    const volumes = await allPages(
      (page) => deps.volumes.listVolumes({ filters: wanted, ...page }, request.call),
      (response) => response.volumes,
    );
    const removed = await removeUnused(
      volumes.filter((volume) => isAll || volume.isAnonymous),
      ({ name }) => deps.volumes.removeVolume({ ref: name, force: true }, request.call),
    );
    return json(reply, { VolumesDeleted: nullIfNone(removed.map(({ name }) => name)), SpaceReclaimed: 0 });
  });
}

async function stoppedContainers(wanted: readonly Filter[], deps: DockerApiDeps, call: ApiCall): Promise<Container[]> {
  const listed = await allPages(
    (page) =>
      deps.containers.listContainers({ all: true, filters: known(wanted), last: 0, withSize: true, ...page }, call),
    ({ containers }) => containers,
  );
  const states: readonly ContainerState[] = [ContainerState.CREATED, ContainerState.EXITED, ContainerState.DEAD];
  return listed.filter(({ state }) => states.includes(state));
}

async function pruneImages(query: Query, deps: DockerApiDeps, call: ApiCall) {
  const asked = filters(query, ["dangling", "label", "label!", "until"]);
  const isAll = asked.some(
    ({ key, values }) => key === "dangling" && !values.some((value) => /^(1|true)$/.test(value)),
  );
  const others = asked.filter(({ key }) => key !== "dangling");
  const wanted = isAll ? others : [...others, { key: "dangling", values: ["true"] }];
  const images = await allPages(
    (page) => deps.images.listImages({ filters: known(wanted), ...page }, call),
    (response) => response.images,
  );
  const deleted: object[] = [];
  const removed = await removeUnused(
    images.filter(({ leaseCount }) => leaseCount === 0),
    async ({ id }) => {
      const answer = await deps.images.removeImage({ ref: id, force: true }, call);
      deleted.push(...answer.untagged.map((Untagged) => ({ Untagged })));
      deleted.push(...answer.deleted.map((Deleted) => ({ Deleted })));
    },
  );
  return { ImagesDeleted: nullIfNone(deleted), SpaceReclaimed: sum(removed.map(({ sizeBytes }) => sizeBytes)) };
}

/** A filter that the services do not have must not be passed over: it would remove more than was asked for. */
function known(wanted: readonly Filter[]): Filter[] {
  for (const { key } of wanted) {
    if (key === "label!" || key === "until") throw invalidRequest(`the filter '${key}' is not supported here`);
  }
  return [...wanted];
}

function isTrue(wanted: readonly Filter[], name: string): boolean {
  return wanted.some(({ key, values }) => key === name && values.some((value) => /^(1|true)$/i.test(value)));
}

async function removeUnused<T>(items: readonly T[], remove: (item: T) => Promise<unknown>): Promise<T[]> {
  const removed: T[] = [];
  for (const item of items) {
    try {
      await remove(item);
      removed.push(item);
    } catch (error) {
      if (!isCtlError(error, "FAILED_PRECONDITION", "NOT_FOUND", "ABORTED")) throw error;
    }
  }
  return removed;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
