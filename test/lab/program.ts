import { spawn } from "node:child_process";
import { deadline, raceSignal } from "../../services/kit/deadlines.ts";
import { eventually } from "./eventually.ts";

/** A program under way, its output kept as it comes. Killed when its block ends. */
export interface RunningProgram extends AsyncDisposable {
  readonly pid: number;
  /** All that it wrote so far. */
  stdout(): string;
  stderr(): string;
  write(text: string): void;
  closeStdin(): void;
  signal(name: NodeJS.Signals): void;
  /** Waits until standard output holds this, and gives all of it. */
  untilStdout(pattern: string | RegExp, timeoutMs?: number): Promise<string>;
  /** The exit code, 128 + n for a signal n that ended it (as a shell says it). Rejects after `timeoutMs`. */
  exitCode(timeoutMs?: number): Promise<number>;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export function startProgram({ program, args, env }: Command, cwd: string): RunningProgram {
  const child = spawn(program, args, { env, cwd, stdio: "pipe" });
  const written = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    written.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    written.stderr += text;
  });
  child.stdin.on("error", () => {}); // it may end without having read its input
  const ended = Promise.withResolvers<number>();
  child.once("error", ended.reject);
  child.once("close", (code, signal) => ended.resolve(code ?? 128 + (SIGNALS[signal ?? ""] ?? 0)));
  ended.promise.catch(() => {}); // seen by who asks for the exit code
  const exitCode = (timeoutMs = 20_000) =>
    raceSignal(ended.promise, deadline(timeoutMs, `wait for ${program} ${args.join(" ")}`), `wait for ${program}`);
  return {
    pid: child.pid ?? 0,
    stdout: () => written.stdout,
    stderr: () => written.stderr,
    write: (text) => void child.stdin.write(text),
    closeStdin: () => void child.stdin.end(),
    signal: (name) => void child.kill(name),
    untilStdout: async (pattern, timeoutMs) => {
      const holds = (text: string) => (typeof pattern === "string" ? text.includes(pattern) : pattern.test(text));
      await eventually(() => {
        if (!holds(written.stdout)) throw new Error(`no ${pattern} in ${JSON.stringify(written)}`);
        return true;
      }, timeoutMs);
      return written.stdout;
    },
    exitCode,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exitCode().catch(() => {});
    },
  };
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 };
