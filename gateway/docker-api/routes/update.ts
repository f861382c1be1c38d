import type { FastifyInstance } from "fastify";
import { json } from "../answer.ts";
import { jsonBody } from "../body.ts";
import type { DockerApiDeps } from "../deps.ts";
import { resources, restartPolicy } from "../translate/container-spec.ts";
import { updateBody } from "../translate/create-body.ts";
import type { ById } from "./containers.ts";

/** `POST /containers/{id}/update`: what is 0 or empty stays as it is. */
export function updateRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ById>("/containers/:id/update", async (request, reply) => {
    const body = jsonBody(updateBody, request.body, request.headers);
    const wanted = {
      ref: request.params.id,
      resources: { ...resources(body), pidsLimit: body.PidsLimit },
      restart: body.RestartPolicy.Name === "" ? undefined : restartPolicy(body),
    };
    const { warnings } = await deps.containers.updateContainer(wanted, request.call);
    return json(reply, { Warnings: warnings });
  });
}
