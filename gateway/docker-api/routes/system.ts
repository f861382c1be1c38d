import type { FastifyInstance, FastifyReply } from "fastify";
import { json } from "../answer.ts";
import type { DockerApiDeps } from "../deps.ts";
import { systemInfo } from "../translate/info.ts";
import { systemVersion } from "../translate/version.ts";

/** `docker version`, `docker info`, and the ping with which every client begins. */
export function systemRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get("/_ping", (_request, reply) => ping(reply).send(Buffer.from("OK")));
  app.head("/_ping", (_request, reply) => ping(reply).header("content-length", "0").send());
  app.get("/version", async (request, reply) =>
    json(reply, systemVersion(await deps.engine.version({}, request.call))),
  );
  app.get("/info", async (request, reply) => {
    const info = await deps.engine.info({}, request.call);
    return json(reply, systemInfo(info, deps.version, request.apiVersion));
  });
}

function ping(reply: FastifyReply): FastifyReply {
  return reply.headers({
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-cache, no-store, must-revalidate",
    pragma: "no-cache",
    "builder-version": "1", // no BuildKit: `docker build` would else look for it
    swarm: "inactive",
  });
}
