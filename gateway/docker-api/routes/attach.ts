import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type AttachRequest,
  type Container,
  ContainerState,
  OutputStream,
  ReadLogsRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { nothing } from "../answer.ts";
import { type DockerApiDeps, endableCall } from "../deps.ts";
import { detachFilter, parseDetachKeys } from "../detach-keys.ts";
import { encoderFor, streamType } from "../framing.ts";
import { hijack, type RawStream } from "../hijack.ts";
import { flag, integer, invalidRequest, type Query, text } from "../query.ts";
import { carry } from "../session.ts";
import { SessionInput } from "../session-input.ts";
import { isRunning } from "../translate/container-state.ts";
import { acceptKey, openWebSocket } from "../websocket/open.ts";
import { type ById, inspectContainer } from "./containers.ts";

/** `docker attach`, and the streams of `docker run`; the same on a websocket. */
export function attachRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ById>("/containers/:id/attach", { config: { isStreaming: true } }, async (request, reply) => {
    const container = await inspectContainer(request.params.id, deps, request.call);
    await serveAttach(container, { request, reply, deps, way: hijacked(request, reply, isTtyOf(container)) });
    return reply;
  });
  app.get<ById>("/containers/:id/attach/ws", async (request, reply) => {
    const accept = acceptKey(request.raw);
    const container = await inspectContainer(request.params.id, deps, request.call);
    const open = () => openWebSocket(request, reply, accept);
    // a websocket carries both outputs as they are, and until 1.42 always all three streams
    const way = { open, isFramed: false, hasAllStreams: request.apiVersion.minor < 42 };
    await serveAttach(container, { request, reply, deps, way });
    return reply;
  });
  app.post<ById>("/containers/:id/resize", async (request, reply) => {
    const size = sizeOf(request.query);
    await deps.containers.resizeContainer({ ref: request.params.id, size }, request.call);
    return nothing(reply, 200);
  });
}

interface Exchange {
  readonly request: FastifyRequest<ById>;
  readonly reply: FastifyReply;
  readonly deps: DockerApiDeps;
  readonly way: Way;
}

/** How the streams get to the client. */
interface Way {
  readonly open: () => RawStream;
  readonly isFramed: boolean;
  readonly hasAllStreams: boolean;
}

function hijacked(request: FastifyRequest, reply: FastifyReply, isTty: boolean): Way {
  const open = () => hijack(request, reply, streamType(request.apiVersion, isTty));
  return { open, isFramed: !isTty, hasAllStreams: false };
}

function isTtyOf({ spec }: Container): boolean {
  return spec?.tty ?? false;
}

async function serveAttach(container: Container, exchange: Exchange): Promise<void> {
  refuseStandstill(container);
  await (flag(exchange.request.query, "stream") ? attach(container, exchange) : replay(container, exchange));
}

async function attach(container: Container, { request, deps, way }: Exchange): Promise<void> {
  const isTty = isTtyOf(container);
  const keys = parseDetachKeys(text(request.query, "detachKeys"));
  const open = openRequest(container, request.query, way);
  const input = new SessionInput();
  const { call, end } = endableCall(request.call);
  const events = deps.containers.attach(opened(open, input), call)[Symbol.asyncIterator]();
  try {
    await events.next(); // `attached`: from here on no output is missed, so the client may start the container
  } catch (error) {
    input.close();
    throw error;
  }
  const raw = way.open();
  const { isFramed } = way;
  const filter = isTty && open.stdin ? { detachFilter: detachFilter(keys) } : {};
  const wants = wantedOf(open);
  await carry({ raw, input, events, endCall: end, isTty, isFramed, hasStdin: open.stdin, wants, ...filter });
}

function wantedOf({ stdout, stderr }: { readonly stdout: boolean; readonly stderr: boolean }) {
  return (stream: OutputStream) => (stream === OutputStream.STDERR ? stderr : stdout);
}

/** Without `stream` an attachment is what was written before, where `logs` asks for it. */
async function replay(container: Container, { request, deps, way }: Exchange): Promise<void> {
  const open = openRequest(container, request.query, way);
  const raw = way.open();
  const encode = encoderFor(!way.isFramed);
  const wants = wantedOf(open);
  if (open.logs) {
    const logs = deps.containers.readLogs(ReadLogsRequest.fromPartial({ ref: container.id }), request.call);
    for await (const { records } of logs) {
      for (const { stream, data } of records) if (wants(stream)) await raw.write(encode(stream, data));
    }
  }
  raw.end();
}

function openRequest(container: Container, query: Query, { hasAllStreams }: Way) {
  const isWanted = (stream: string) => hasAllStreams || flag(query, stream);
  return {
    ref: container.id,
    stdin: isWanted("stdin") && (container.spec?.openStdin ?? false),
    stdout: isWanted("stdout"),
    stderr: isWanted("stderr"),
    logs: flag(query, "logs"),
    position: undefined,
    awaitStart: !isRunning(container),
    size: undefined,
  };
}

async function* opened(open: ReturnType<typeof openRequest>, input: SessionInput): AsyncGenerator<AttachRequest> {
  yield { input: { $case: "open", value: open } };
  yield* input;
}

export function sizeOf(query: Query) {
  const rows = integer(query, "h");
  const columns = integer(query, "w");
  const isSize = (value: number | undefined) => value !== undefined && value >= 0 && value < 65_536;
  if (!isSize(rows) || !isSize(columns)) throw invalidRequest("invalid resize height or width");
  return { rows: rows ?? 0, columns: columns ?? 0 };
}

function refuseStandstill({ id, state }: Container): void {
  if (state === ContainerState.PAUSED) {
    throw conflict(`container ${id} is paused, unpause the container before attach`);
  }
  if (state === ContainerState.RESTARTING) {
    throw conflict(`container ${id} is restarting, wait until the container is running`);
  }
}

function conflict(why: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", { reason: "REQUEST_INVALID", what: "attach", why });
}
