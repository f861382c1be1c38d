import type { Socket } from "node:net";
import {
  type ExecOpen,
  type ExecRequest,
  type ExecResponse,
  ExecSpec as ExecSpecMessage,
  OutputStream as StreamCode,
} from "#proto/ctl/containers/v1/containers.ts";
import type { DetachedExecs } from "../exec/detached-execs.ts";
import {
  createExec,
  type ExecDeps,
  type ExecWish,
  findExec,
  type RunningExec,
  runDetachedExec,
  runExec,
} from "../exec/session.ts";
import { parseSignal } from "../spec/signals.ts";
import type { ClientInput } from "../streams/input.ts";
import { inputsOf, openMissing } from "./streams.ts";

export interface ExecCallDeps extends ExecDeps {
  readonly detached: DetachedExecs;
}

/** Serves one `Exec`: `started`, output, `exit`. It ends with its client unless it is detached. */
export async function* execCall(
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
  await using running = await runExec(id, wish, deps, signal);
  const { session } = running;
  // its output ends with it, and so does the loop below, which else would wait for output for ever
  const stop = () => void Promise.resolve(running[Symbol.asyncDispose]()).catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  const input = followExecInput(inputsOf(messages), running);
  input.catch(() => {});
  try {
    yield { event: { $case: "started", value: { execId: id, pid: session.pid } } };
    for await (const { stream, data } of outputOf(session.stdout, session.stderr)) {
      yield { event: { $case: "output", value: { stream, data, position: undefined } } };
    }
    yield { event: { $case: "exit", value: { exitCode: await running.exitCode, oomKilled: false } } };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function idOf({ ref, exec }: ExecOpen, deps: ExecDeps): Promise<{ id: string; wish: ExecWish }> {
  if (exec?.$case === "execId") {
    const row = await findExec(deps.db, exec.value);
    return { id: row.id, wish: parseExec(ExecSpecMessage.decode(row.spec)) };
  }
  if (exec?.$case !== "spec") throw openMissing("execute something in a container");
  const wish = parseExec(exec.value);
  return { id: await createExec(deps.db, ref, wish, execBytes(exec.value)), wish };
}

export function parseExec(spec: ExecSpecMessage): ExecWish {
  const { command, env, workingDir, user, privileged, tty, stdin } = spec;
  return { command, env, workingDir, user, privileged, tty, stdin };
}

export function execBytes(spec: ExecSpecMessage): Buffer {
  return Buffer.from(ExecSpecMessage.encode(spec).finish());
}

async function followExecInput(inputs: AsyncIterable<ClientInput>, { session }: RunningExec): Promise<void> {
  session.stdin?.on("error", () => {}); // it may end without having read its input
  for await (const input of inputs) {
    if (input.kind === "stdin") await write(session.stdin, input.data);
    else if (input.kind === "close-stdin") session.stdin?.end();
    else if (input.kind === "signal") session.signal(parseSignal(input.name));
  }
  session.stdin?.end();
}

async function write(stdin: Socket | undefined, data: Buffer): Promise<void> {
  if (stdin === undefined || stdin.destroyed || stdin.write(data)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stdin.once("drain", resolve);
  stdin.once("close", resolve);
  await promise;
  stdin.off("drain", resolve);
  stdin.off("close", resolve);
}

interface Piece {
  readonly stream: StreamCode;
  readonly data: Buffer;
}

/** Both streams as they come, each no faster than it is taken. */
async function* outputOf(stdout: Socket, stderr: Socket): AsyncGenerator<Piece> {
  const sources: readonly Source[] = [
    { stream: StreamCode.STDOUT, pieces: stdout[Symbol.asyncIterator]() },
    { stream: StreamCode.STDERR, pieces: stderr[Symbol.asyncIterator]() },
  ];
  const open = new Map(sources.map((source) => [source, nextOf(source)]));
  while (open.size > 0) {
    const { source, done, value } = await Promise.race(open.values());
    if (done === true) {
      open.delete(source);
    } else {
      open.set(source, nextOf(source));
      yield { stream: source.stream, data: value };
    }
  }
}

interface Source {
  readonly stream: StreamCode;
  readonly pieces: AsyncIterator<Buffer>;
}

async function nextOf(source: Source) {
  const { done, value } = await source.pieces.next();
  return { source, done, value };
}
