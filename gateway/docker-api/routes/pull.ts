import type { FastifyInstance } from "fastify";
import type { RegistryAuth } from "#proto/ctl/images/v1/images.ts";
import { CtlError, isCtlError } from "../../../services/kit/errors.ts";
import { jsonLine, streamed } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { parsePlatform } from "../platform.ts";
import { invalidRequest, type Query, text } from "../query.ts";
import { registryAuth } from "../registry-auth.ts";
import { PullProgress } from "../translate/pull-progress.ts";
import { notServed } from "./unserved.ts";

/** `docker pull`, with its stream of progress. */
export function pullRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<{ Querystring: Query }>("/images/create", { config: { isStreaming: true } }, async (request, reply) => {
    if (text(request.query, "fromSrc") !== "") notServed("docker import");
    const target = pullTarget(text(request.query, "fromImage"), text(request.query, "tag"));
    request.subject = `${target.familiar}:${target.tag}`;
    const auth = registryAuth(request.headers["x-registry-auth"]);
    const platform = parsePlatform(text(request.query, "platform"));
    await streamed(reply, progressOf({ ...target, auth, platform }, deps, request.call), {
      contentType: "application/json",
      isFlushedAtOnce: false,
      failure: (message) => jsonLine({ errorDetail: { message }, error: message }),
    });
    return reply;
  });
}

export interface PullTarget {
  /** As it is asked of the images service. */
  readonly reference: string;
  /** Its path on the registry, as Docker says it: `library/nginx`. */
  readonly path: string;
  /** As people write it: `nginx`. */
  readonly familiar: string;
  /** Or the digest. */
  readonly tag: string;
}

/** Name and tag come apart or together; a client that names neither tag nor digest gets `latest`, not all tags. */
export function pullTarget(fromImage: string, tag: string): PullTarget {
  if (fromImage === "") throw invalidRequest("invalid reference format");
  const [name = "", digest] = fromImage.split("@");
  const colon = name.lastIndexOf(":");
  const isTagged = colon > name.lastIndexOf("/");
  const repository = isTagged ? name.slice(0, colon) : name;
  const familiar = repository.replace(/^docker\.io\/(library\/)?/, "");
  const wanted = digest ?? (tag || (isTagged ? name.slice(colon + 1) : "latest"));
  const separator = wanted.includes(":") ? "@" : ":";
  return { reference: `${repository}${separator}${wanted}`, path: pathOf(familiar), familiar, tag: wanted };
}

function pathOf(familiar: string): string {
  const [first = "", ...rest] = familiar.split("/");
  if (rest.length === 0) return `library/${familiar}`;
  const isRegistry = /[.:]/.test(first) || first === "localhost";
  return isRegistry ? rest.join("/") : familiar;
}

type PullWanted = PullTarget & {
  readonly auth: RegistryAuth | undefined;
  readonly platform: ReturnType<typeof parsePlatform>;
};

async function* progressOf(wanted: PullWanted, deps: DockerApiDeps, call: ApiCall): AsyncGenerator<Uint8Array> {
  const { reference, auth, platform } = wanted;
  const progress = new PullProgress(wanted);
  try {
    for await (const response of deps.images.pull({ reference, auth, platform }, call)) yield* progress.lines(response);
  } catch (error) {
    throw asPullRefusal(error);
  }
}

/** What a registry does not have or give is said in other words than what is not here. */
function asPullRefusal(error: unknown): unknown {
  if (!isCtlError(error)) return error;
  const reason = { IMAGE_NOT_FOUND: "MANIFEST_UNKNOWN", REGISTRY_UNAUTHORIZED: "PULL_DENIED" }[error.reason];
  if (reason === undefined) return error;
  return new CtlError("NOT_FOUND", { reason, what: error.what, why: error.why, cause: error });
}
