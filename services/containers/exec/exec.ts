import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { deadline, raceSignal, sleep } from "../../kit/deadlines.ts";
import type { Descriptor } from "../../kit/linux/descriptor.ts";
import { bindPidfds } from "../../kit/linux/pidfd.ts";
import type { TerminalSize } from "../../kit/linux/pty.ts";
import { configText } from "../bundle/bundle.ts";
import type { OciProcess } from "../bundle/oci-config.ts";
import { type OciRuntime, runtimeCommand } from "../runtime/oci-runtime.ts";
import type { Child, Programs } from "../runtime/programs.ts";
import { runtimeError } from "../runtime/runtime-errors.ts";
import { type ExecInput, type ExecStreams, piecesOf, pipeStreams, terminalStreams } from "./exec-streams.ts";
import { killTree } from "./kill-tree.ts";

const PID_LOOK_MS = 1;
const END_MS = 10_000;
const MOST_ERROR_BYTES = 16 * 1024;

export interface ExecRequest {
  /** The runtime's name of the container's run. */
  readonly runtimeId: string;
  /** A directory of this exec's own; made here, gone when the session is disposed. */
  readonly directory: string;
  readonly process: OciProcess;
  readonly stdin: boolean;
  /** What the process has as its descriptor 3; not with a terminal. */
  readonly descriptor?: Descriptor | undefined;
}

/**
 * A process executed in a container for a client that waits for it: pipes or a terminal to the runtime's `exec`, which is
 * our child, so output is exact, apart by stream, and never faster than it is read. It ends with its client: disposing
 * kills what is left of it. See docs/decisions/0005-exec-with-pipes.md.
 */
export interface ExecSession extends AsyncDisposable {
  /** Of its first process, in the host's PID namespace. */
  readonly pid: number;
  readonly stdout: Socket;
  /** Undefined: it has a terminal. */
  readonly stderr: Socket | undefined;
  /** Undefined: nobody gives it any. */
  readonly stdin: ExecInput | undefined;
  /** Resolves when the process has ended, with 128 + N for signal N; its output may still have to be read. */
  readonly exitCode: Promise<number>;
  /** False: it has ended. */
  signal(number: number): boolean;
}

export interface ExecHost {
  readonly programs: Programs;
  readonly runtime: OciRuntime;
}

/**
 * Starts it and answers once its process runs. Throws FAILED_PRECONDITION COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE,
 * CWD_MISSING, RUNTIME_REFUSED; then nothing is left of it.
 */
export async function startExec(host: ExecHost, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
  await using undo = new AsyncDisposableStack();
  const files = await writeExecFiles(request);
  undo.defer(() => rm(request.directory, { recursive: true, force: true }));
  const running = await startRuntime(host, request, files);
  undo.defer(() => running.streams.destroy());
  undo.defer(() => endExec(running, files));
  const pid = await firstPid(files, running, signal);
  if (pid === undefined) {
    const { stdout, stderr } = running.streams;
    throw runtimeError(await firstBytes(stderr ?? stdout), "execute the command in the container");
  }
  const handle = bindPidfds().open(pid);
  // a pid is only certain to be the exec's while the runtime still waits for it
  const process = running.hasEnded() ? undefined : handle;
  undo.defer(() => handle?.[Symbol.dispose]());
  const owned = undo.move();
  return {
    pid,
    stdin: running.streams.stdin,
    stdout: running.streams.stdout,
    stderr: running.streams.stderr,
    exitCode: running.exitCode,
    signal: (number) => !running.hasEnded() && (process?.signal(number) ?? false),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface ExecFiles {
  readonly process: string;
  readonly pid: string;
}

async function writeExecFiles({ directory, process }: ExecRequest): Promise<ExecFiles> {
  const files = { process: join(directory, "process.json"), pid: join(directory, "pid") };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(files.process, configText(process), { mode: 0o600 });
  return files;
}

interface RunningExec {
  readonly child: Child;
  readonly streams: ExecStreams;
  readonly exitCode: Promise<number>;
  hasEnded(): boolean;
}

async function startRuntime(
  { programs, runtime }: ExecHost,
  { runtimeId, process, stdin, descriptor }: ExecRequest,
  files: ExecFiles,
): Promise<RunningExec> {
  using ends = new DisposableStack();
  const streams = process.terminal ? terminalStreams(stdin, terminalSize(process)) : pipeStreams(programs, stdin);
  for (const end of streams.owned) ends.use(end);
  // only the runtime itself keeps this one open, so its end is the runtime's: the process's own children may keep the others
  const life = programs.pipes.fromChild();
  ends.use(life.childEnd);
  const kept = descriptor === undefined ? [] : [descriptor];
  const flags = ["--process", files.process, "--pid-file", files.pid, "--preserve-fds", String(kept.length)];
  const program = runtimeCommand(runtime, ["exec", ...flags, runtimeId]);
  const fds = [...streams.childEnds, ...kept, life.childEnd].map(({ fd }) => fd);
  const child = await programs.start(program, fds).catch((error: unknown) => {
    streams.destroy();
    life.reader.destroy();
    throw error;
  });
  return { child, streams, ...followLife(child, life.reader) };
}

function terminalSize({ consoleSize: size }: OciProcess): TerminalSize | undefined {
  return size === undefined ? undefined : { rows: size.height, columns: size.width };
}

function followLife(child: Child, life: Socket): Pick<RunningExec, "exitCode" | "hasEnded"> {
  const ended = Promise.withResolvers<void>();
  let isOver = false;
  life.once("close", () => {
    isOver = true;
    ended.resolve();
  });
  life.resume();
  return { exitCode: ended.promise.then(() => child.reaped()), hasEnded: () => isOver };
}

/** Undefined: the runtime ended without having started it. */
async function firstPid(files: ExecFiles, running: RunningExec, signal: AbortSignal): Promise<number | undefined> {
  for (;;) {
    const isLast = running.hasEnded();
    // in this thread: a look takes 5 µs, and by way of the pool as long as the wait for the next one
    const text = existsSync(files.pid) ? readFileSync(files.pid, "utf8") : "";
    if (/^\d+\s*$/.test(text)) return Number(text);
    if (isLast) return undefined;
    await sleep(PID_LOOK_MS, signal);
  }
}

/** The runtime's own words: it has ended, so they are all there. */
async function firstBytes(stream: Socket): Promise<string> {
  let text = "";
  for await (const chunk of piecesOf(stream)) {
    text += chunk.toString("utf8");
    if (text.length > MOST_ERROR_BYTES) break;
  }
  return text;
}

/** Whatever is left of it: its process with the descendants that it still has, then the runtime's. Idempotent. */
async function endExec({ child, exitCode, hasEnded }: RunningExec, files: ExecFiles): Promise<void> {
  const signal = deadline(END_MS, "end an exec");
  const text = hasEnded() ? "" : await readFile(files.pid, "utf8").catch(() => "");
  if (/^\d+\s*$/.test(text) && !hasEnded()) await killTree(Number(text), signal);
  // the runtime ends by itself when its process has; one that has not started any is killed
  if (text === "" && !hasEnded()) await killTree(child.pid, signal);
  await raceSignal(exitCode, signal, "end an exec");
}
