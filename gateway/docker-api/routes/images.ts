import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Image } from "#proto/ctl/images/v1/images.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { json } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, flag, invalidRequest, type Query, text } from "../query.ts";
import { imageHistory, imageInspect, imageSummary } from "../translate/image.ts";
import { notServed } from "./unserved.ts";

const IMAGE_FILTERS = ["before", "dangling", "label", "reference", "since", "until"] as const;

interface ByName {
  Params: { "*": string };
  Querystring: Query;
}

/** An image's name has slashes in it, so what is wanted of it is told by the path's end. */
type ImageAction = (name: string, request: FastifyRequest<ByName>, reply: FastifyReply) => Promise<FastifyReply>;

export function imageRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/images/json", async (request, reply) => {
    const wanted = filters(request.query, IMAGE_FILTERS);
    const images = await allPages(
      (page) => deps.images.listImages({ filters: wanted, ...page }, request.call),
      (response) => response.images,
    );
    return json(
      reply,
      images.map((image) => imageSummary(image, request.apiVersion)),
    );
  });
  app.get<ByName>("/images/*", (request, reply) => byEnd(request, reply, readers(deps)));
  app.post<ByName>("/images/*", (request, reply) => byEnd(request, reply, writers(deps)));
  app.delete<ByName>("/images/*", async (request, reply) => {
    const ref = request.params["*"];
    const { untagged, deleted } = await deps.images.removeImage(
      { ref, force: flag(request.query, "force") },
      request.call,
    );
    return json(reply, [...untagged.map((tag) => ({ Untagged: tag })), ...deleted.map((id) => ({ Deleted: id }))]);
  });
}

function readers(deps: DockerApiDeps): Readonly<Record<string, ImageAction>> {
  return {
    json: async (name, request, reply) => {
      if (flag(request.query, "manifests") && text(request.query, "platform") !== "") {
        throw invalidRequest("conflicting options: manifests and platform options cannot both be set");
      }
      return json(reply, imageInspect(await inspectImage(name, deps, request.call), request.apiVersion));
    },
    history: async (name, request, reply) => json(reply, imageHistory(await inspectImage(name, deps, request.call))),
    attestations: async (name, request, reply) => {
      await inspectImage(name, deps, request.call);
      return json(reply, []); // a pull keeps none of them
    },
    get: async () => notServed("docker save"),
  };
}

function writers(deps: DockerApiDeps): Readonly<Record<string, ImageAction>> {
  return {
    tag: async (name, request, reply) => {
      const repository = text(request.query, "repo");
      const tag = text(request.query, "tag");
      if (repository === "") throw invalidRequest("invalid reference format");
      await deps.images.tagImage({ ref: name, tag: tag === "" ? repository : `${repository}:${tag}` }, request.call);
      return reply.code(201).send();
    },
    push: async () => notServed("docker push"),
  };
}

async function byEnd(
  request: FastifyRequest<ByName>,
  reply: FastifyReply,
  actions: Readonly<Record<string, ImageAction>>,
): Promise<FastifyReply> {
  const path = request.params["*"];
  const slash = path.lastIndexOf("/");
  const name = path.slice(0, Math.max(slash, 0));
  const end = path.slice(slash + 1);
  const action = Object.hasOwn(actions, end) ? actions[end] : undefined;
  if (action === undefined || name === "") throw pageNotFound();
  request.subject = name;
  return action(name, request, reply);
}

function pageNotFound(): CtlError {
  return new CtlError("NOT_FOUND", { reason: "PAGE_NOT_FOUND", what: "serve the request", why: "no such page" });
}

async function inspectImage(ref: string, deps: DockerApiDeps, call: ApiCall): Promise<Image> {
  const { image } = await deps.images.inspectImage({ ref }, call);
  return image ?? Image.fromPartial({});
}
