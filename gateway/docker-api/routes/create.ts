import type { FastifyInstance } from "fastify";
import { Platform } from "#proto/ctl/common/v1/common.ts";
import { PullPolicy } from "#proto/ctl/gateway/v1/gateway.ts";
import { CtlError, isCtlError } from "../../../services/kit/errors.ts";
import { json } from "../answer.ts";
import { jsonBody } from "../body.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { errorAnswer } from "../errors.ts";
import { parsePlatform } from "../platform.ts";
import { type Query, text } from "../query.ts";
import { containerSpec } from "../translate/container-spec.ts";
import { createBody, type HostConfigBody } from "../translate/create-body.ts";

/** `POST /containers/create`. The image must be there: the client pulls it when it is told 404. */
export function createRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<{ Querystring: Query }>("/containers/create", async (request, reply) => {
    const body = jsonBody(createBody, request.body, request.headers);
    request.subject = body.Image;
    const platform = text(request.query, "platform");
    const wanted = parsePlatform(platform);
    if (wanted !== undefined) await requirePlatform(body.Image, wanted, deps, request.call);
    const spec = containerSpec(text(request.query, "name"), platform, body);
    const responses = deps.engine.createContainer({ spec, pull: PullPolicy.NEVER, auth: undefined }, request.call);
    let created = { Id: "", Warnings: [] as string[] };
    try {
      for await (const { event } of responses) {
        if (event?.$case === "created") created = { Id: event.value.id, Warnings: event.value.warnings };
      }
    } catch (error) {
      throw aboutAnother(error, body.HostConfig.Links);
    }
    return json(reply, { ...created, Warnings: [...created.Warnings, ...warningsAbout(body.HostConfig)] }, 201);
  });
}

/** A client takes any 404 for a missing image and pulls it: another container that is missing is told by 400. */
function aboutAnother(error: unknown, links: readonly string[]): unknown {
  if (!isCtlError(error) || error.reason !== "CONTAINER_NOT_FOUND") return error;
  const { message } = errorAnswer(error, "");
  const linked = links.map((link) => link.split(":")[0] ?? "").find((name) => message.endsWith(`: ${name}`));
  const why = linked === undefined ? message : `could not get container for ${linked}: ${message}`;
  return new CtlError("INVALID_ARGUMENT", { reason: "REQUEST_INVALID", what: error.what, why, cause: error });
}

/** Throws NOT_FOUND IMAGE_PLATFORM_MISMATCH, upon which a client pulls the image for that platform. */
async function requirePlatform(ref: string, wanted: Platform, deps: DockerApiDeps, call: ApiCall): Promise<void> {
  const { image } = await deps.images.inspectImage({ ref }, call);
  const actual = image?.platform ?? Platform.fromPartial({});
  const fits = (part: keyof Pick<Platform, "os" | "architecture" | "variant">) =>
    wanted[part] === "" || wanted[part] === actual[part];
  if (fits("os") && fits("architecture") && (actual.variant === "" || fits("variant"))) return;
  throw new CtlError("NOT_FOUND", {
    reason: "IMAGE_PLATFORM_MISMATCH",
    what: `create a container of ${ref}`,
    why: `image with reference ${ref} was found but does not provide the specified platform (${nameOf(wanted)})`,
  });
}

function nameOf({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== "").join("/");
}

function warningsAbout({ NetworkMode, PortBindings }: HostConfigBody): string[] {
  const isDiscarded = NetworkMode === "host" && Object.keys(PortBindings).length > 0;
  return isDiscarded ? ["Published ports are discarded when using host network mode"] : [];
}
