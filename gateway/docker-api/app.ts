import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { SpanKind } from "@opentelemetry/api";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from "fastify";
import { asCtlError, CtlError } from "../../services/kit/errors.ts";
import { attribute } from "../../services/kit/telemetry/attributes.ts";
import { continueTrace, openSpan } from "../../services/kit/telemetry/trace.ts";
import { json } from "./answer.ts";
import { readBody } from "./body.ts";
import type { ApiCall, DockerApiDeps } from "./deps.ts";
import { errorAnswer } from "./errors.ts";
import { subjectFor, withFullIds } from "./full-ids.ts";
import { upgradeOf } from "./hijack.ts";
import { archiveRoutes } from "./routes/archive.ts";
import { attachRoutes } from "./routes/attach.ts";
import { changeRoutes } from "./routes/changes.ts";
import { containerRoutes } from "./routes/containers.ts";
import { createRoutes } from "./routes/create.ts";
import { diskUsageRoutes } from "./routes/disk-usage.ts";
import { eventRoutes } from "./routes/events.ts";
import { execRoutes } from "./routes/exec.ts";
import { imageRoutes } from "./routes/images.ts";
import { lifecycleRoutes } from "./routes/lifecycle.ts";
import { logRoutes } from "./routes/logs.ts";
import { networkRoutes } from "./routes/networks.ts";
import { pruneRoutes } from "./routes/prune.ts";
import { pullRoutes } from "./routes/pull.ts";
import { registryRoutes } from "./routes/registries.ts";
import { statsRoutes } from "./routes/stats.ts";
import { systemRoutes } from "./routes/system.ts";
import { unservedRoutes } from "./routes/unserved.ts";
import { updateRoutes } from "./routes/update.ts";
import { volumeRoutes } from "./routes/volumes.ts";
import { waitRoutes } from "./routes/wait.ts";
import { type ApiVersion, NEWEST_API, requireSpoken, splitVersion } from "./versions.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** For every call that this request makes. */
    call: ApiCall;
    apiVersion: ApiVersion;
    /** What the path names: for Docker's error texts. */
    subject: string;
  }
}

export interface Application {
  serve(request: IncomingMessage, response: ServerResponse): void;
  /** Ends the calls of all requests under way. */
  stop(): void;
  close(): Promise<void>;
}

/** fastify with all routes, on a server that somebody else feeds with connections. */
export async function createApplication(
  deps: DockerApiDeps,
  actorOf: (socket: Socket) => string,
  makeServer: (listener: RequestListener) => Server,
): Promise<Application> {
  const stopping = new AbortController();
  const versions = new WeakMap<IncomingMessage, ApiVersion>();
  const app = fastify({
    logger: false,
    serverFactory: (listener) => makeServer(listener),
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: 1_024 },
    // no schemas: the bodies have types of their own, and ajv's 88 modules are not loaded
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    rewriteUrl: (request) => {
      const { path, version } = splitVersion(request.url ?? "/");
      versions.set(request as IncomingMessage, version);
      return path;
    },
    frameworkErrors: (error, request, reply) => refuse(error, request, reply, deps),
    clientErrorHandler: (_error, socket) => refuseBytes(socket),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest, payload: IncomingMessage) =>
    request.routeOptions.config.isStreaming ? undefined : readBody(payload, request.headers),
  );
  app.decorateRequest("subject", "");
  const beginRequest = beginWith(deps, actorOf, versions, stopping.signal);
  app.addHook("onRequest", async (request, reply) => beginRequest(request, reply));
  app.addHook("preHandler", (request, reply, done) => inRequestSpan(request, reply, done));
  app.setErrorHandler((error, request, reply) => refuse(error, request, reply, deps));
  app.setNotFoundHandler((request, reply) => refuse(pageNotFound(), request, reply, deps));
  addRoutes(app, deps);
  await app.ready();
  return {
    serve: (request, response) => app.routing(request, response),
    stop: () => stopping.abort(stoppingError()),
    close: () => app.close(),
  };
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** The request's body is the client's input and is read by the route. */
    isStreaming?: boolean;
  }
}

function noCompiler(): never {
  throw new Error("routes of the Docker API have no schemas");
}

function addRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  systemRoutes(app, deps);
  containerRoutes(app, deps);
  statsRoutes(app, deps);
  createRoutes(app, deps);
  lifecycleRoutes(app, deps);
  updateRoutes(app, deps);
  logRoutes(app, deps);
  waitRoutes(app, deps);
  attachRoutes(app, deps);
  execRoutes(app, deps);
  archiveRoutes(app, deps);
  changeRoutes(app, deps);
  imageRoutes(app, deps);
  pullRoutes(app, deps);
  registryRoutes(app, deps);
  networkRoutes(app, deps);
  volumeRoutes(app, deps);
  eventRoutes(app, deps);
  pruneRoutes(app, deps);
  diskUsageRoutes(app, deps);
  unservedRoutes(app);
}

function beginWith(
  deps: DockerApiDeps,
  actorOf: (socket: Socket) => string,
  versions: WeakMap<IncomingMessage, ApiVersion>,
  stopping: AbortSignal,
): (request: FastifyRequest, reply: FastifyReply) => void {
  return (request, reply) => {
    const actor = actorOf(request.raw.socket);
    request.call = {
      signal: signalOf(request, reply, stopping),
      actor,
      operation: "",
      metadata: { "ctl-actor": actor },
    };
    request.subject = subjectOf(request.params);
    request.apiVersion = versions.get(request.raw) ?? NEWEST_API;
    reply.raw.setHeader("Api-Version", NEWEST_API.text);
    reply.raw.setHeader("Docker-Experimental", "false");
    reply.raw.setHeader("Ostype", "linux");
    reply.raw.setHeader("Server", `ctl/${deps.version} (linux)`);
    boundLeftover(request.raw, reply.raw);
    requireSpoken(request.apiVersion);
  };
}

const LEFTOVER_TIMEOUT_MS = 60_000;

/** A body that goes on after its request was answered holds the connection for so long and no longer. */
function boundLeftover(request: IncomingMessage, response: ServerResponse): void {
  response.once("finish", () => {
    if (request.complete) return;
    const timer = setTimeout(() => request.socket.destroy(), LEFTOVER_TIMEOUT_MS);
    request.once("close", () => clearTimeout(timer));
  });
}

/** Aborts when the client goes away before it has its answer, and when the gateway stops. */
function signalOf(request: FastifyRequest, reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const connection = upgradeOf.get(request.raw)?.stream ?? reply.raw;
  connection.on("close", () => {
    if (!reply.raw.writableFinished) gone.abort(clientGone());
  });
  return AbortSignal.any([gone.signal, stopping]);
}

function subjectOf(params: unknown): string {
  if (typeof params !== "object" || params === null) return "";
  const value: unknown = Object.values(params)[0];
  return typeof value === "string" ? value : "";
}

/** After the body, whose events come in the connection's context and not in the request's. */
function inRequestSpan(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { traceparent, tracestate } = request.headers;
  const headers: Record<string, string> = {};
  if (typeof traceparent === "string") headers["traceparent"] = traceparent;
  if (typeof tracestate === "string") headers["tracestate"] = tracestate;
  continueTrace(headers, () => {
    const attributes = {
      [attribute.httpMethod]: request.method,
      [attribute.urlFull]: request.routeOptions.url ?? "",
    };
    const span = openSpan("http.serve", { kind: SpanKind.SERVER, attributes });
    reply.raw.once("close", () => span.end());
    continueTrace(span.headers, done);
  });
}

async function refuse(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  deps: DockerApiDeps,
): Promise<FastifyReply> {
  const known = fromFramework(error) ?? asCtlError(error, `serve ${request.method} ${request.url}`);
  const fields = { [attribute.httpMethod]: request.method, [attribute.path]: request.url, err: known };
  if (known.code === "INTERNAL") deps.log.error(fields, "Docker API request failed");
  else deps.log.debug(fields, "Docker API request refused");
  const { status, message } = errorAnswer(known, await subjectFor(known, request.subject, deps, request.call));
  const prefix = PREFIXES[request.routeOptions.url ?? ""]?.(known, request.subject) ?? "";
  return json(reply, { message: `${prefix}${await withFullIds(known, message, deps, request.call)}` }, status);
}

/** Docker says for some requests what it was about to do. */
const PREFIXES: Readonly<Record<string, (error: CtlError, subject: string) => string>> = {
  "/containers/:id/kill": ({ reason }, subject) =>
    reason === "SIGNAL_INVALID" ? "" : `cannot kill container: ${subject}: `,
  "/containers/:id/rename": ({ reason }) =>
    reason === "CONTAINER_NAME_IN_USE" ? "error when allocating new name: " : "",
};

/** fastify's own errors are all about the request's form. */
function fromFramework(error: unknown): CtlError | undefined {
  if (!(error instanceof Error) || !("code" in error) || !String(error.code).startsWith("FST_ERR_")) return undefined;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "REQUEST_INVALID",
    what: "serve the request",
    why: error.message,
    cause: error,
  });
}

/** What is no HTTP gets what Go's server says to it. */
function refuseBytes(socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request",
  );
  socket.destroySoon();
}

function pageNotFound(): CtlError {
  return new CtlError("NOT_FOUND", { reason: "PAGE_NOT_FOUND", what: "serve the request", why: "no such page" });
}

function clientGone(): CtlError {
  return new CtlError("CANCELLED", { reason: "CLIENT_GONE", what: "serve the request", why: "the client went away" });
}

function stoppingError(): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "GATEWAY_STOPPING",
    what: "serve the request",
    why: "the daemon is stopping",
    fix: "try again once it runs",
  });
}
