import type { FastifyInstance } from "fastify";
import { json } from "../answer.ts";
import type { DockerApiDeps } from "../deps.ts";
import { filters, type Query } from "../query.ts";
import { nullIfNone } from "../translate/go-values.ts";

interface ByQuery {
  Querystring: Query;
}

/** `docker … prune`: what nobody uses is removed, one after the other; what is taken into use meanwhile is left. */
export function pruneRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ByQuery>("/containers/prune", async (request, reply) => {
    const wanted = filters(request.query, ["label", "label!", "until"]);
    const pruned = await deps.engine.pruneContainers({ filters: [...wanted], dryRun: false }, request.call);
    return json(reply, { ContainersDeleted: nullIfNone(pruned.removed), SpaceReclaimed: pruned.reclaimedBytes });
  });
  app.post<ByQuery>("/images/prune", async (request, reply) => {
    const wanted = filters(request.query, ["dangling", "label", "label!", "until"]);
    const wish = { filters: [...wanted], all: false, dryRun: false, withoutHolders: [] };
    const { untagged, deleted, reclaimedBytes } = await deps.images.pruneImages(wish, request.call);
    const entries = [...untagged.map((Untagged) => ({ Untagged })), ...deleted.map((Deleted) => ({ Deleted }))];
    return json(reply, { ImagesDeleted: nullIfNone(entries), SpaceReclaimed: reclaimedBytes });
  });
  app.post<ByQuery>("/networks/prune", async (request, reply) => {
    const wanted = filters(request.query, ["label", "label!", "until"]);
    const wish = { filters: [...wanted], dryRun: false, withoutHolders: [] };
    const { removed } = await deps.networks.pruneNetworks(wish, request.call);
    return json(reply, { NetworksDeleted: nullIfNone(removed) });
  });
  app.post<ByQuery>("/volumes/prune", async (request, reply) => {
    const wanted = filters(request.query, ["all", "label", "label!"]);
    // since 1.42 only anonymous ones, unless all are asked for
    const all = request.apiVersion.minor < 42;
    const wish = { filters: [...wanted], all, dryRun: false, withoutHolders: [] };
    const { removed, reclaimedBytes } = await deps.volumes.pruneVolumes(wish, request.call);
    return json(reply, { VolumesDeleted: nullIfNone(removed), SpaceReclaimed: reclaimedBytes });
  });
}
