import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import * as z from "zod";
import {
  type ExecRequest,
  ExecSpec,
  type InspectExecResponse,
  OutputStream,
} from "#proto/ctl/containers/v1/containers.ts";
import { type CtlError, type ErrorCode, isCtlError } from "../../../services/kit/errors.ts";
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
import type { ById } from "./containers.ts";

/** `docker exec`: made, started with its streams, looked at for the exit code. */
export function execRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
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
    await deps.containers.resizeExec({ execId: request.params.id, size }, request.call);
    return nothing(reply, 200);
  });
  app.post<ById>("/exec/:id/start", async (request, reply) => {
    const body = optionalJsonBody(startExecBody, request.body, request.headers);
    const exchange = { request, reply, deps };
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
}

async function startDetached(body: StartExecBody, { request, reply, deps }: Exchange): Promise<void> {
  const events = deps.containers.exec(opened(request.params.id, body, undefined), request.call);
  for await (const { event } of events) {
    if (event?.$case === "started") break;
  }
  nothing(reply, 200);
}

async function startAttached(body: StartExecBody, { request, reply, deps }: Exchange): Promise<void> {
  const { spec } = await deps.containers.inspectExec({ execId: request.params.id }, request.call);
  const isTty = body.Tty;
  const input = new SessionInput();
  const { call, end } = endableCall(request.call);
  const events = deps.containers.exec(opened(request.params.id, body, input), call)[Symbol.asyncIterator]();
  const failure = await started(events);
  if (failure !== undefined) input.close();
  const raw = hijack(request, reply, streamType(request.apiVersion, isTty));
  if (failure === undefined) {
    const filter = isTty ? { detachFilter: detachFilter(parseDetachKeys(spec?.detachKeys ?? "")) } : {};
    const hasStdin = spec?.stdin ?? false;
    await carry({ raw, input, events, endCall: end, isTty, hasStdin, wants: () => true, ...filter });
    return;
  }
  const { message } = errorAnswer(failure, request.params.id);
  await raw.write(encoderFor(isTty)(OutputStream.STDOUT, Buffer.from(`${message}\r\n`)));
  raw.end();
}

/**
 * Docker says in the stream what cannot be run: the client then asks for the exit code, and older ones take whatever
 * follows their request for the stream. What cannot be started at all, as in a container that does not run, is thrown.
 */
async function started(events: AsyncIterator<unknown>): Promise<CtlError | undefined> {
  try {
    await events.next();
    return undefined;
  } catch (error) {
    if (isCtlError(error) && REFUSALS.includes(error.code) && !STATES.includes(error.reason)) return error;
    throw error;
  }
}

const REFUSALS: readonly ErrorCode[] = ["INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "INTERNAL"];
const STATES = ["CONTAINER_NOT_RUNNING", "CONTAINER_PAUSED", "EXEC_STARTED"];

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
