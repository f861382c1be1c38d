import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { identify, isRunning, type ProcessId, signalProcess } from "../../gateway/supervisor/postgres/processes.ts";
import { deadline, sleep } from "../../services/kit/deadlines.ts";

export interface DetachedProcess {
  readonly pid: number;
  readonly log: string;
  isRunning(): Promise<boolean>;
  signal(name: NodeJS.Signals): Promise<void>;
  /** Resolves when it has ended; rejects after `timeoutMs`. */
  ended(timeoutMs: number): Promise<void>;
}

/** Starts a program in a session of its own, its output in a file: as a daemon is started, not as a child. */
export async function startDetached(
  program: string,
  args: readonly string[],
  options: { readonly log: string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string },
): Promise<DetachedProcess> {
  await using log = await open(options.log, "a");
  const child = spawn(program, args, {
    env: options.env,
    cwd: options.cwd,
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
  });
  const spawned = Promise.withResolvers<void>();
  child.once("error", spawned.reject);
  child.once("spawn", spawned.resolve);
  await spawned.promise;
  child.unref();
  const id = (await identify(child.pid ?? 0)) ?? { pid: child.pid ?? 0, startTime: "ended" };
  return {
    pid: id.pid,
    log: options.log,
    isRunning: () => isRunning(id),
    signal: (name) => signalProcess(id, name),
    ended: (timeoutMs) => untilEnded(id, timeoutMs, `${program} to end`),
  };
}

async function untilEnded(id: ProcessId, timeoutMs: number, what: string): Promise<void> {
  const signal = deadline(timeoutMs, `wait for ${what}`);
  while (await isRunning(id)) await sleep(10, signal);
}

/** The end of a log: what a failure of something started detached shows. */
export async function tailOf(log: string, lines = 15): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
