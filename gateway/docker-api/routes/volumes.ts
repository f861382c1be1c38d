import type { FastifyInstance } from "fastify";
import { Volume } from "#proto/ctl/volumes/v1/volumes.ts";
import { json, nothing } from "../answer.ts";
import { optionalJsonBody } from "../body.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, flag, type Query } from "../query.ts";
import { goObject, goString, goStringMap } from "../translate/go-json.ts";
import { volumeInspect, volumeUsage } from "../translate/volume.ts";
import { notASwarm } from "./unserved.ts";

const VOLUME_FILTERS = ["dangling", "driver", "label", "name"] as const;

interface ByName {
  Params: { "*": string };
  Querystring: Query;
}

export function volumeRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/volumes", async (request, reply) => {
    const wanted = filters(request.query, VOLUME_FILTERS);
    const volumes = await allPages(
      (page) => deps.volumes.listVolumes({ filters: wanted, withSize: false, ...page }, request.call),
      (response) => response.volumes,
    );
    return json(reply, { Volumes: volumes.map(volumeInspect), Warnings: null });
  });
  app.get<ByName>("/volumes/*", async (request, reply) => {
    // ours: `ctl volume inspect` asks for what Docker's answer has no place for
    const isWhole = flag(request.query, "usage");
    const wanted = { ref: request.params["*"], withSize: isWhole };
    const { volume = Volume.fromPartial({}) } = await deps.volumes.inspectVolume(wanted, request.call);
    if (!isWhole) return json(reply, volumeInspect(volume));
    return json(reply, volumeUsage(volume, await namesOf(volume.holders, deps, request.call)));
  });
  app.post("/volumes/create", async (request, reply) => {
    const body = optionalJsonBody(createVolumeBody, request.body, request.headers);
    request.subject = body.Name;
    const { volume } = await deps.volumes.createVolume(
      { name: body.Name, driver: body.Driver, options: body.DriverOpts, labels: body.Labels },
      request.call,
    );
    return json(reply, volumeInspect(volume ?? Volume.fromPartial({})), 201);
  });
  // only a swarm's volumes have anything that could change
  app.put<ByName>("/volumes/*", () => notASwarm());
  app.delete<ByName>("/volumes/*", async (request, reply) => {
    const force = flag(request.query, "force");
    await deps.volumes.removeVolume({ ref: request.params["*"], force }, request.call);
    return nothing(reply);
  });
}

/** Containers by id; one that goes meanwhile has no name. */
async function namesOf(ids: readonly string[], { containers }: DockerApiDeps, call: ApiCall) {
  if (ids.length === 0) return new Map<string, string>();
  const filters = [{ key: "id", values: [...ids] }];
  const found = await allPages(
    (page) => containers.listContainers({ all: true, filters, last: 0, withSize: false, ...page }, call),
    (response) => response.containers,
  );
  return new Map(found.map(({ id, name }) => [id, name]));
}

const createVolumeBody = goObject({
  Name: goString,
  Driver: goString,
  DriverOpts: goStringMap,
  Labels: goStringMap,
});
