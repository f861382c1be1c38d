import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { untilEnded } from "../../gateway/supervisor/postgres/processes.ts";
import { identityOf, isAlive, signalProcess } from "../../gateway/supervisor/process.ts";
import { deadline } from "../../services/kit/deadlines.ts";

export interface DetachedProcess {
  readonly pid: number;
  readonly log: string;
  isRunning(): boolean;
  /** False: it has ended already. */
  signal(name: NodeJS.Signals): boolean;
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
  const id = identityOf(child.pid ?? 0) ?? { pid: child.pid ?? 0, startTicks: -1 };
  return {
    pid: id.pid,
    log: options.log,
    isRunning: () => isAlive(id),
    signal: (name) => signalProcess(id, name),
    ended: (timeoutMs) => untilEnded(id, 10, deadline(timeoutMs, `wait for ${program} to end`)),
  };
}

/** The end of a log: what a failure of something started detached shows. */
export async function tailOf(log: string, lines = 15): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
