import type { FastifyInstance } from "fastify";
import { Volume } from "#proto/ctl/volumes/v1/volumes.ts";
import { json, nothing } from "../answer.ts";
import { optionalJsonBody } from "../body.ts";
import type { DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, flag, type Query } from "../query.ts";
import { goObject, goString, goStringMap } from "../translate/go-json.ts";
import { volumeInspect } from "../translate/volume.ts";
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
    const { volume } = await deps.volumes.inspectVolume({ ref: request.params["*"] }, request.call);
    return json(reply, volumeInspect(volume ?? Volume.fromPartial({})));
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

const createVolumeBody = goObject({
  Name: goString,
  Driver: goString,
  DriverOpts: goStringMap,
  Labels: goStringMap,
});
