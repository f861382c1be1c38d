import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { deadline, raceSignal } from "../../services/kit/deadlines.ts";
import { eventually } from "./eventually.ts";

/** A program that runs while a test looks at it: `logs -f`, a foreground `run`, `events`. Killed when its block ends. */
export interface RunningProgram extends AsyncDisposable {
  readonly pid: number;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  write(text: string): void;
  closeStdin(): void;
  signal(name: NodeJS.Signals): void;
  /** Its exit code (128 + the signal's number by convention is not applied: -1 when a signal ended it). */
  ended(timeoutMs?: number): Promise<number>;
  /** Resolves once its standard output holds this; fails with all that it wrote after `timeoutMs`. */
  says(text: string | RegExp, timeoutMs?: number): Promise<void>;
}

export function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): RunningProgram {
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin.on("error", () => {}); // it may end before it has read its input
  const ended = exitOf(child);
  return {
    pid: child.pid ?? 0,
    stdout,
    stderr,
    write: (text) => void child.stdin.write(text),
    closeStdin: () => void child.stdin.end(),
    signal: (name) => void child.kill(name),
    ended: (timeoutMs = 20_000) => raceSignal(ended, deadline(timeoutMs, `wait for ${program} to end`), "wait"),
    says: async (text, timeoutMs = 10_000) => {
      await eventually(() => {
        const isThere = typeof text === "string" ? stdout().includes(text) : text.test(stdout());
        if (!isThere) throw new Error(`expected ${text}; stdout: ${stdout()}; stderr: ${stderr()}`);
        return true;
      }, timeoutMs);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended.catch(() => {});
    },
  };
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

async function exitOf(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once("error", reject);
  child.once("close", (code) => resolve(code ?? -1));
  return await promise;
}
