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
import { hijack } from "../hijack.ts";
import { flag, integer, invalidRequest, type Query, text } from "../query.ts";
import { carry } from "../session.ts";
import { SessionInput } from "../session-input.ts";
import { isRunning } from "../translate/container-state.ts";
import { type ById, inspectContainer } from "./containers.ts";

/** `docker attach`, and the streams of `docker run`. */
export function attachRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ById>("/containers/:id/attach", { config: { isStreaming: true } }, async (request, reply) => {
    const container = await inspectContainer(request.params.id, deps, request.call);
    refuseStandstill(container);
    const exchange = { request, reply, deps };
    await (flag(request.query, "stream") ? attach(container, exchange) : replay(container, exchange));
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
}

async function attach(container: Container, { request, reply, deps }: Exchange): Promise<void> {
  const isTty = container.spec?.tty ?? false;
  const keys = parseDetachKeys(text(request.query, "detachKeys"));
  const open = openRequest(container, request.query);
  const input = new SessionInput();
  const { call, end } = endableCall(request.call);
  const events = deps.containers.attach(opened(open, input), call)[Symbol.asyncIterator]();
  try {
    await events.next(); // `attached`: from here on no output is missed, so the client may start the container
  } catch (error) {
    input.close();
    throw error;
  }
  const raw = hijack(request, reply, streamType(request.apiVersion, isTty));
  const filter = isTty && open.stdin ? { detachFilter: detachFilter(keys) } : {};
  await carry({ raw, input, events, endCall: end, isTty, hasStdin: open.stdin, wants: wantedOf(open), ...filter });
}

function wantedOf({ stdout, stderr }: { readonly stdout: boolean; readonly stderr: boolean }) {
  return (stream: OutputStream) => (stream === OutputStream.STDERR ? stderr : stdout);
}

/** Without `stream` an attachment is what was written before, where `logs` asks for it. */
async function replay(container: Container, { request, reply, deps }: Exchange): Promise<void> {
  const isTty = container.spec?.tty ?? false;
  const open = openRequest(container, request.query);
  const raw = hijack(request, reply, streamType(request.apiVersion, isTty));
  const encode = encoderFor(isTty);
  const wants = wantedOf(open);
  if (open.logs) {
    const logs = deps.containers.readLogs(ReadLogsRequest.fromPartial({ ref: container.id }), request.call);
    for await (const { records } of logs) {
      for (const { stream, data } of records) if (wants(stream)) await raw.write(encode(stream, data));
    }
  }
  raw.end();
}

function openRequest(container: Container, query: Query) {
  return {
    ref: container.id,
    stdin: flag(query, "stdin") && (container.spec?.openStdin ?? false),
    stdout: flag(query, "stdout"),
    stderr: flag(query, "stderr"),
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
