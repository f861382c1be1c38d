import {
  type ContainersService,
  type ExecOpen,
  type ExecRequest,
  type ExecResponse,
  ExecSpec as ExecSpecMessage,
  type InspectExecResponse,
} from "#proto/ctl/containers/v1/containers.ts";
import type { Database } from "../../kit/database.ts";
import type { Handlers } from "../../kit/grpc/handlers.ts";
import { resizeTerminalOf } from "../../kit/linux/pty.ts";
import { timestampOf } from "../../kit/timestamp.ts";
import { recordContainerEvent } from "../events.ts";
import type { DetachedExecs } from "../exec/detached-execs.ts";
import { execOutput } from "../exec/exec-output.ts";
import { findExec } from "../exec/find-exec.ts";
import { type RunningExecDeps, resizeExec, signalExec } from "../exec/running-exec.ts";
import {
  createExec,
  type ExecDeps,
  type ExecWish,
  type RunningExec,
  runDetachedExec,
  runExec,
} from "../exec/session.ts";
import { findContainer } from "../find.ts";
import { parseSignal } from "../spec/signals.ts";
import { type ExecRow, listExecRows } from "../store/execs.ts";
import type { ClientInput } from "../streams/input.ts";
import { CODES, inputsOf, openMissing } from "./streams.ts";
import { parseSize } from "./terminal-size.ts";

export interface ExecCallDeps extends ExecDeps, RunningExecDeps {
  readonly db: Database;
  readonly node: string;
  readonly detached: DetachedExecs;
}

/** What the service answers about execs. */
export function execHandlers(deps: ExecCallDeps) {
  const { db, node } = deps;
  return {
    createExec: async ({ ref, spec }) => {
      const message = ExecSpecMessage.fromPartial(spec ?? {});
      return { execId: await createExec(db, ref, parseExec(message), execBytes(message)) };
    },
    exec: (requests, { signal }) => execCall(requests, deps, signal),
    inspectExec: async ({ execId }) => execMessage(await findExec(db, execId)),
    listExecs: async ({ ref }) => {
      const containerId = ref === "" ? undefined : (await findContainer(db, ref)).id;
      return { execs: (await listExecRows(db, { node, containerId })).map(execMessage) };
    },
    signalExec: async ({ execId, signal: name }) => {
      await signalExec(execId, name, deps);
      return {};
    },
    resizeExec: async ({ execId, size }) => {
      await resizeExec(execId, parseSize(size), deps);
      return {};
    },
  } satisfies Partial<Handlers<typeof ContainersService>>;
}

/** Serves one `Exec`: `started`, output, `exit`. It ends with its client unless that detaches. */
async function* execCall(
  requests: AsyncIterable<ExecRequest>,
  deps: ExecCallDeps,
  signal: AbortSignal,
): AsyncGenerator<ExecResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = (await messages.next()).value?.input;
  if (first?.$case !== "open") throw openMissing("execute something in a container");
  const open = first.value;
  const { id, wish } = await idOf(open, deps);
  if (open.detach) {
    const pid = await runDetachedExec(id, wish, deps, signal);
    await deps.detached.follow(id);
    yield { event: { $case: "started", value: { execId: id, pid } } };
    return;
  }
  yield* serveClient(id, await runExec(id, wish, deps, signal), inputsOf(messages), deps, signal);
}

/** An exec whose client is there. Takes `running` over. */
async function* serveClient(
  id: string,
  running: RunningExec,
  inputs: AsyncIterable<ClientInput>,
  { db, detached }: ExecCallDeps,
  signal: AbortSignal,
): AsyncGenerator<ExecResponse> {
  await using owned = new AsyncDisposableStack();
  owned.use(running);
  const output = execOutput(running.session);
  // its output ends with it, and so does the loop below, which else would wait for output for ever
  const stop = () => void Promise.resolve(running[Symbol.asyncDispose]()).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const left = followExecInput(inputs, running, signal);
  try {
    yield { event: { $case: "started", value: { execId: id, pid: running.session.pid } } };
    for (;;) {
      const next = await Promise.race([output.next(), left]);
      if (next === "detached") {
        owned.move();
        detached.keep(id, running, output);
        await recordContainerEvent(db, "exec_detach", running.container, { execID: id });
        return;
      }
      if (next.done === true) break;
      const { stream, data } = next.value;
      yield { event: { $case: "output", value: { stream: CODES[stream], data, position: undefined } } };
    }
    yield { event: { $case: "exit", value: { exitCode: await running.exitCode, oomKilled: false } } };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function idOf({ ref, exec, size }: ExecOpen, deps: ExecDeps): Promise<{ id: string; wish: ExecWish }> {
  if (exec?.$case === "execId") {
    const row = await findExec(deps.db, exec.value);
    const wish = parseExec(ExecSpecMessage.decode(row.spec));
    return { id: row.id, wish: { ...wish, size: size ?? wish.size } };
  }
  if (exec?.$case !== "spec") throw openMissing("execute something in a container");
  const wish = parseExec(exec.value);
  const id = await createExec(deps.db, ref, wish, execBytes(exec.value));
  return { id, wish: { ...wish, size: size ?? wish.size } };
}

function execMessage(row: ExecRow): InspectExecResponse {
  return {
    execId: row.id,
    containerId: row.container_id,
    spec: ExecSpecMessage.decode(row.spec),
    running: row.state === "running",
    exitCode: row.exit_code ?? undefined,
    pid: row.pid,
    created: timestampOf(row.created_at),
  };
}

function parseExec(spec: ExecSpecMessage): ExecWish {
  const { command, env, workingDir, user, privileged, tty, stdin, size } = spec;
  return { command, env, workingDir, user, privileged, tty, stdin, size };
}

function execBytes(spec: ExecSpecMessage): Buffer {
  return Buffer.from(ExecSpecMessage.encode(spec).finish());
}

/** Resolves when the client detaches; when it only ends its input, or goes away, it never does. */
async function followExecInput(
  inputs: AsyncIterable<ClientInput>,
  { session }: RunningExec,
  signal: AbortSignal,
): Promise<"detached"> {
  try {
    for await (const input of inputs) {
      if (input.kind === "stdin") await session.stdin?.write(input.data, signal);
      else if (input.kind === "close-stdin") session.stdin?.end();
      else if (input.kind === "signal") session.signal(parseSignal(input.name));
      else if (input.kind === "resize") await resizeTerminalOf(session.pid, input);
      else if (input.kind === "detach") return "detached";
    }
    session.stdin?.end();
  } catch {
    // the call has failed, and is over
  }
  return new Promise(() => {});
}
