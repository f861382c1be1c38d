import type { FastifyInstance } from "fastify";
import { PullPolicy } from "#proto/ctl/gateway/v1/gateway.ts";
import { json } from "../answer.ts";
import { jsonBody } from "../body.ts";
import type { DockerApiDeps } from "../deps.ts";
import { parsePlatform } from "../platform.ts";
import { type Query, text } from "../query.ts";
import { containerSpec } from "../translate/container-spec.ts";
import { createBody } from "../translate/create-body.ts";

/** `POST /containers/create`. The image must be there: the client pulls it when it is told 404. */
export function createRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<{ Querystring: Query }>("/containers/create", async (request, reply) => {
    const body = jsonBody(createBody, request.body, request.headers);
    request.subject = body.Image;
    const platform = text(request.query, "platform");
    parsePlatform(platform);
    const spec = containerSpec(text(request.query, "name"), platform, body);
    const responses = deps.engine.createContainer({ spec, pull: PullPolicy.NEVER, auth: undefined }, request.call);
    let created = { Id: "", Warnings: [] as string[] };
    for await (const { event } of responses) {
      if (event?.$case === "created") created = { Id: event.value.id, Warnings: event.value.warnings };
    }
    return json(reply, created, 201);
  });
}
