import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import {
  ContainerState,
  type ExecRequest,
  ExecSpec,
  type InspectExecResponse,
  OutputStream,
} from "#proto/ctl/containers/v1/containers.ts";
import { raceSignal } from "../../../services/kit/deadlines.ts";
import { asCtlError, CtlError } from "../../../services/kit/errors.ts";
import { json, nothing } from "../answer.ts";
import { jsonBody, optionalJsonBody } from "../body.ts";
import { type DockerApiDeps, endableCall } from "../deps.ts";
import { detachFilter, parseDetachKeys } from "../detach-keys.ts";
import { errorAnswer } from "../errors.ts";
import { encoderFor, streamType } from "../framing.ts";
import { hijack } from "../hijack.ts";
import { invalidRequest } from "../query.ts";
import { carry } from "../session.ts";
import { SessionInput } from "../session-input.ts";
import { consoleSizeOf } from "../translate/console-size.ts";
import { goBoolean, goList, goObject, goString, goStrings, goStrSlice } from "../translate/go-json.ts";
import { sizeOf } from "./attach.ts";
import { type ById, inspectContainer } from "./containers.ts";

/** `docker exec`: made, started with its streams, looked at for the exit code. */
export function execRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  const starting: Starting = new Map();
  app.post<ById>("/containers/:id/exec", async (request, reply) => {
    const spec = execSpec(jsonBody(createExecBody, request.body, request.headers));
    const { execId } = await deps.containers.createExec({ ref: request.params.id, spec }, request.call);
    return json(reply, { Id: execId }, 201);
  });
  app.get<ById>("/exec/:id/json", async (request, reply) => {
    const exec = await deps.containers.inspectExec({ execId: request.params.id }, request.call);
    return json(reply, execInspect(exec));
  });
  app.post<ById>("/exec/:id/resize", async (request, reply) => {
    const size = sizeOf(request.query);
    const started = starting.get(request.params.id) ?? Promise.resolve();
    await raceSignal(started, request.call.signal, "wait until the exec has started");
    await deps.containers.resizeExec({ execId: request.params.id, size }, request.call);
    return nothing(reply, 200);
  });
  app.post<ById>("/exec/:id/start", async (request, reply) => {
    const body = optionalJsonBody(startExecBody, request.body, request.headers);
    const exchange = { request, reply, deps, starting };
    await (body.Detach ? startDetached(body, exchange) : startAttached(body, exchange));
    return reply;
  });
}

const createExecBody = goObject({
  AttachStdin: goBoolean,
  AttachStdout: goBoolean,
  AttachStderr: goBoolean,
  Tty: goBoolean,
  Env: goStrings,
  Cmd: goStrSlice,
  Privileged: goBoolean,
  User: goString,
  WorkingDir: goString,
  DetachKeys: goString,
  ConsoleSize: goList(z.int()),
});

function execSpec(body: (typeof createExecBody)["_output"]): ExecSpec {
  if ((body.Cmd ?? []).length === 0) throw invalidRequest("No exec command specified");
  return ExecSpec.fromPartial({
    command: body.Cmd ?? [],
    env: body.Env,
    workingDir: body.WorkingDir,
    user: body.User,
    tty: body.Tty,
    stdin: body.AttachStdin,
    stdout: body.AttachStdout,
    stderr: body.AttachStderr,
    privileged: body.Privileged,
    detachKeys: checkedKeys(body.DetachKeys),
    size: consoleSizeOf(body.ConsoleSize),
    detach: !body.AttachStdin && !body.AttachStdout && !body.AttachStderr,
  });
}

/** Refused before there is an exec, as Docker does. */
function checkedKeys(keys: string): string {
  if (keys !== "") parseDetachKeys(keys);
  return keys;
}

const startExecBody = goObject({
  Detach: goBoolean,
  Tty: goBoolean,
  ConsoleSize: goList(z.int()),
});

type StartExecBody = (typeof startExecBody)["_output"];

interface Exchange {
  readonly request: FastifyRequest<ById>;
  readonly reply: FastifyReply;
  readonly deps: DockerApiDeps;
  readonly starting: Starting;
}

/** By id: execs whose client has its headers and whose process is not there yet. A size that comes meanwhile waits for it. */
type Starting = Map<string, Promise<unknown>>;

async function startDetached(body: StartExecBody, { request, reply, deps }: Exchange): Promise<void> {
  const events = deps.containers.exec(opened(request.params.id, body, undefined), request.call);
  for await (const { event } of events) {
    if (event?.$case === "started") break;
  }
  nothing(reply, 200);
}

/**
 * The headers go before the process starts, as Docker's do: a client that reads them with a buffer (Python's) and then
 * takes the bare connection loses what comes in the same piece. So what can be refused by status is looked at first.
 */
async function startAttached(body: StartExecBody, { request, reply, deps, starting }: Exchange): Promise<void> {
  const exec = await deps.containers.inspectExec({ execId: request.params.id }, request.call);
  await requireStartable(exec, { request, deps });
  const isTty = body.Tty;
  const input = new SessionInput();
  const { call, end } = endableCall(request.call);
  const events = deps.containers.exec(opened(request.params.id, body, input), call)[Symbol.asyncIterator]();
  const started = Promise.withResolvers<void>();
  starting.set(exec.execId, started.promise);
  const raw = hijack(request, reply, streamType(request.apiVersion, isTty));
  const failure = await failureOf(events.next()); // `started`
  starting.delete(exec.execId);
  started.resolve();
  if (failure === undefined) {
    const { spec } = exec;
    const filter = isTty ? { detachFilter: detachFilter(parseDetachKeys(spec?.detachKeys ?? "")) } : {};
    const hasStdin = spec?.stdin ?? false;
    await carry({ raw, input, events, endCall: end, isTty, isFramed: !isTty, hasStdin, wants: () => true, ...filter });
    return;
  }
  input.close();
  const { message } = errorAnswer(failure, request.subject);
  await raw.write(encoderFor(isTty)(OutputStream.STDOUT, Buffer.from(`${message}\r\n`)));
  raw.end();
}

/** Throws FAILED_PRECONDITION EXEC_STARTED, CONTAINER_PAUSED, CONTAINER_NOT_RUNNING. */
async function requireStartable(
  exec: InspectExecResponse,
  { request, deps }: Pick<Exchange, "request" | "deps">,
): Promise<void> {
  const what = `start the exec ${exec.execId.slice(0, 12)}`;
  if (exec.running || exec.exitCode !== undefined) {
    const why = "it was started before, and an exec runs once";
    throw new CtlError("FAILED_PRECONDITION", { reason: "EXEC_STARTED", what, why });
  }
  const { id, state } = await inspectContainer(exec.containerId, deps, request.call);
  request.subject = id;
  if (state === ContainerState.RUNNING) return;
  const isPaused = state === ContainerState.PAUSED;
  const reason = isPaused ? "CONTAINER_PAUSED" : "CONTAINER_NOT_RUNNING";
  throw new CtlError("FAILED_PRECONDITION", { reason, what, why: isPaused ? "it is paused" : "it does not run" });
}

/** Docker says in the stream what cannot be run: the client then asks for the exit code. */
async function failureOf(starting: Promise<unknown>): Promise<CtlError | undefined> {
  try {
    await starting;
    return undefined;
  } catch (error) {
    return asCtlError(error, "start an exec");
  }
}

async function* opened(
  execId: string,
  body: StartExecBody,
  input: SessionInput | undefined,
): AsyncGenerator<ExecRequest> {
  yield {
    input: {
      $case: "open",
      value: {
        ref: "",
        exec: { $case: "execId", value: execId },
        detach: body.Detach,
        size: consoleSizeOf(body.ConsoleSize),
      },
    },
  };
  if (input !== undefined) yield* input;
}

function execInspect(exec: InspectExecResponse) {
  const spec = exec.spec ?? ExecSpec.fromPartial({});
  const [entrypoint = "", ...args] = spec.command;
  return {
    ID: exec.execId,
    Running: exec.running,
    ExitCode: exec.exitCode ?? null,
    ProcessConfig: {
      tty: spec.tty,
      entrypoint,
      arguments: args,
      privileged: spec.privileged,
      ...(spec.user === "" ? {} : { user: spec.user }),
    },
    OpenStdin: spec.stdin,
    OpenStderr: spec.stderr,
    OpenStdout: spec.stdout,
    CanRemove: false,
    ContainerID: exec.containerId,
    // bytes in JSON, as Go writes them
    DetachKeys: spec.detachKeys === "" ? "" : parseDetachKeys(spec.detachKeys).toString("base64"),
    Pid: exec.pid,
  };
}
