import type { FastifyInstance } from "fastify";
import { CtlError } from "../../../services/kit/errors.ts";
import { json } from "../answer.ts";

const SWARM = ["/swarm", "/services", "/tasks", "/nodes", "/secrets", "/configs"] as const;

/** What is still to come, by method and path. */
const MISSING = [
  ["POST", "/build", "docker build"],
  ["POST", "/build/cancel", "docker builder"],
  ["GET", "/plugins/privileges", "docker plugin install"],
  ["POST", "/plugins/pull", "docker plugin install"],
  ["POST", "/plugins/create", "docker plugin create"],
  ["POST", "/session", "BuildKit"],
  ["POST", "/grpc", "BuildKit"],
  ["POST", "/commit", "docker commit"],
  ["GET", "/images/search", "docker search"],
  ["GET", "/images/get", "docker save"],
  ["POST", "/images/load", "docker load"],
  ["GET", "/containers/:id/checkpoints", "docker checkpoint"],
  ["POST", "/containers/:id/checkpoints", "docker checkpoint"],
  ["DELETE", "/containers/:id/checkpoints/*", "docker checkpoint"],
] as const;

/** Swarm's pages say that this is no swarm; what is still to come says so plainly. */
export function unservedRoutes(app: FastifyInstance): void {
  for (const prefix of SWARM) {
    for (const url of [prefix, `${prefix}/*`]) app.all(url, { config: { isStreaming: true } }, notASwarm);
  }
  pluginRoutes(app);
  // without a builder there is no cache of its; `docker system prune` clears it with the rest
  app.post("/build/prune", (_request, reply) => json(reply, { CachesDeleted: null, SpaceReclaimed: 0 }));
  for (const [method, url, feature] of MISSING) {
    app.route({ method, url, config: { isStreaming: true }, handler: () => notServed(feature) });
  }
}

/** There are none, and so none of any name. */
function pluginRoutes(app: FastifyInstance): void {
  app.get("/plugins", (_request, reply) => json(reply, []));
  app.all<{ Params: { "*": string } }>("/plugins/*", { config: { isStreaming: true } }, (request) => {
    const name = request.params["*"].replace(/\/(json|enable|disable|upgrade|push|set)$/, "");
    throw new CtlError("NOT_FOUND", {
      reason: "PLUGIN_NOT_FOUND",
      what: `find the plugin "${name}"`,
      why: `plugin "${name}" not found`,
    });
  });
}

/** Throws UNAVAILABLE NOT_A_SWARM_MANAGER. */
export function notASwarm(): never {
  throw new CtlError("UNAVAILABLE", {
    reason: "NOT_A_SWARM_MANAGER",
    what: "serve the request",
    why: "ctl has no swarm mode",
  });
}

/** Throws UNIMPLEMENTED NOT_SERVED. */
export function notServed(feature: string): never {
  throw new CtlError("UNIMPLEMENTED", {
    reason: "NOT_SERVED",
    what: "serve the request",
    why: `${feature} is not served by ctl yet`,
  });
}
