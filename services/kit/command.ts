import { spawn } from "node:child_process";
import { abortError } from "./deadlines.ts";
import { CtlError } from "./errors.ts";

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly signal: AbortSignal;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
  /** Bytes kept of each stream, default 1 MiB; what comes after is read and dropped. */
  readonly maxOutputBytes?: number;
}

/**
 * Runs a host program to its end: output bounded, killed (SIGKILL) when the signal aborts. Never on the hot path.
 * Throws FAILED_PRECONDITION PROGRAM_MISSING; CANCELLED or DEADLINE_EXCEEDED by the signal. A non-zero exit is a result.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const what = `run ${program}`;
  if (options.signal.aborted) throw abortError(options.signal, what);
  const child = spawn(program, args, { cwd: options.cwd, env: options.env, stdio: "pipe" });
  const stdout = new BoundedText(options.maxOutputBytes ?? 1 << 20);
  const stderr = new BoundedText(options.maxOutputBytes ?? 1 << 20);
  child.stdout.on("data", (chunk: Buffer) => stdout.add(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.add(chunk));
  child.stdin.on("error", () => {}); // a program may end without having read its input
  child.stdin.end(options.stdin ?? "");
  const ended = Promise.withResolvers<number>();
  child.on("error", (cause) => ended.reject(programMissing(program, cause)));
  child.on("close", (code, signal) => ended.resolve(code ?? (signal === null ? -1 : 137)));
  const onAbort = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    const exitCode = await ended.promise;
    if (options.signal.aborted) throw abortError(options.signal, what);
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    options.signal.removeEventListener("abort", onAbort);
  }
}

function programMissing(program: string, cause: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "PROGRAM_MISSING",
    what: `run ${program}`,
    why: "it could not be started",
    fix: `install the package that has ${program}`,
    cause,
  });
}

class BoundedText {
  readonly #limit: number;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, Math.max(0, this.#limit - this.#size));
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.#size += kept.length;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
