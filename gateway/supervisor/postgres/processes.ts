import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { sleep } from "../../../services/kit/deadlines.ts";

/** A process by number and start time: the kernel gives the number again, but not with the same start. */
export interface ProcessId {
  readonly pid: number;
  /** In clock ticks since boot, proc_pid_stat(5) field 22. */
  readonly startTime: string;
}

/** Undefined when no such process runs; a zombie has ended, whoever has not yet waited for it. */
export async function identify(pid: number): Promise<ProcessId | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name before it may hold blanks
  const [state, startTime] = [fields[0], fields[19]];
  if (state === "Z" || state === "X" || startTime === undefined) return undefined;
  return { pid, startTime };
}

export async function isRunning(process: ProcessId): Promise<boolean> {
  return (await identify(process.pid))?.startTime === process.startTime;
}

/** Waits for the end of a process that need not be a child of ours; looks every `everyMs`. */
export async function untilEnded(process: ProcessId, everyMs: number, signal: AbortSignal): Promise<void> {
  while (await isRunning(process)) await sleep(everyMs, signal);
}

/** Sends a signal if it is still that process. */
export async function signalProcess(target: ProcessId, name: NodeJS.Signals): Promise<void> {
  if (!(await isRunning(target))) return;
  try {
    process.kill(target.pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

export interface Postmaster extends ProcessId {
  readonly socketDirectory: string;
  /** It says that it lets clients in; else it starts or stops. */
  readonly isReady: boolean;
  /** The program that it runs; `… (deleted)` when that was replaced since. */
  readonly program: string;
}

/**
 * The postmaster of this data directory, or undefined. The pid file alone proves nothing (a number comes again, a
 * zombie still has one): the process must be a postgres that stands in the directory, as every server process does.
 */
export async function findPostmaster(dataDirectory: string): Promise<Postmaster | undefined> {
  const lines = (await readFile(join(dataDirectory, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
  const process = await identify(Number(lines[0]));
  if (process === undefined) return undefined;
  const program = await serverProgram(process.pid, await realpath(dataDirectory));
  if (program === undefined) return undefined;
  return { ...process, socketDirectory: lines[4] ?? "", isReady: lines[7]?.trim() === "ready", program };
}

/** Every server process of this data directory: after a kill -9 of the postmaster its children live on for a moment. */
export async function serverProcesses(dataDirectory: string): Promise<ProcessId[]> {
  const directory = await realpath(dataDirectory).catch(() => undefined);
  if (directory === undefined) return [];
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const found = await Promise.all(
    pids.map(async (pid) => ((await serverProgram(pid, directory)) === undefined ? undefined : identify(pid))),
  );
  return found.filter((process) => process !== undefined);
}

async function serverProgram(pid: number, directory: string): Promise<string | undefined> {
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  if (cwd !== directory) return undefined;
  const program = await readlink(`/proc/${pid}/exe`).catch(() => undefined);
  if (program === undefined) return undefined;
  return basename(program.replace(/ \(deleted\)$/, "")) === "postgres" ? program : undefined;
}

/**
 * Makes way for a new postmaster, as the old one is gone: waits until its children, which end when they notice, have let
 * go of the shared memory (a second; then they are told, then killed), and removes the pid file that would stop it.
 */
export async function clearRemains(dataDirectory: string, signal: AbortSignal): Promise<void> {
  for (const [name, patienceMs] of [
    [undefined, 1_000],
    ["SIGQUIT", 5_000],
    ["SIGKILL", 5_000],
  ] as const) {
    const remaining = await serverProcesses(dataDirectory);
    if (name !== undefined) await Promise.all(remaining.map((process) => signalProcess(process, name)));
    const until = performance.now() + patienceMs;
    while (performance.now() < until && (await serverProcesses(dataDirectory)).length > 0) await sleep(20, signal);
  }
  await rm(join(dataDirectory, "postmaster.pid"), { force: true });
}
