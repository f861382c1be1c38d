import type { FastifyInstance } from "fastify";
import type { Platform } from "#proto/ctl/common/v1/common.ts";
import { CtlError, isCtlError } from "../../../services/kit/errors.ts";
import { json } from "../answer.ts";
import { jsonBody } from "../body.ts";
import type { DockerApiDeps } from "../deps.ts";
import { invalidRequest } from "../query.ts";
import { authConfig, authOf, registryAuth } from "../registry-auth.ts";
import { omitEmpty } from "../translate/go-values.ts";

/** `docker login`, and what a registry has without pulling it. */
export function registryRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post("/auth", async (request, reply) => {
    const body = jsonBody(authConfig, request.body, request.headers);
    const auth = authOf(body);
    if (auth === undefined) throw invalidRequest("no credentials: neither a user nor a token");
    await deps.images.checkLogin({ registry: registryOf(body.serveraddress), auth }, request.call);
    return json(reply, { Status: "Login Succeeded", IdentityToken: "" });
  });
  app.get<{ Params: { "*": string } }>("/distribution/*", async (request, reply) => {
    const path = request.params["*"];
    if (!path.endsWith("/json")) throw pageNotFound();
    const reference = path.slice(0, -"/json".length);
    request.subject = reference;
    const auth = registryAuth(request.headers["x-registry-auth"]);
    const found = await deps.images.inspectRemote({ reference, auth }, request.call).catch((error: unknown) => {
      throw asDistributionError(error);
    });
    const { mediaType, digest, sizeBytes: size, platforms } = found;
    return json(reply, { Descriptor: { mediaType, digest, size }, Platforms: platforms.map(platformOf) });
  });
}

/** What is asked for is there (`docker.io`) or as a URL (`https://index.docker.io/v1/`). */
export function registryOf(address: string): string {
  const host = address.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return ["", "index.docker.io", "registry-1.docker.io"].includes(host) ? "docker.io" : host;
}

/** Docker does not say whether it is a name that is not there or one that nobody may see. */
function asDistributionError(error: unknown): unknown {
  if (!isCtlError(error) || error.reason !== "IMAGE_NOT_FOUND") return error;
  const { what, why } = error;
  return new CtlError("NOT_FOUND", { reason: "MANIFEST_UNKNOWN", what, why, cause: error });
}

function platformOf({ architecture, os, variant }: Platform) {
  return { architecture, os, ...omitEmpty("variant", variant) };
}

function pageNotFound(): CtlError {
  return new CtlError("NOT_FOUND", { reason: "PAGE_NOT_FOUND", what: "serve the request", why: "no such page" });
}
