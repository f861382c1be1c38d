import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { sleep } from "../../../services/kit/deadlines.ts";
import { identityOf, isAlive, type ProcessIdentity, signalProcess } from "../process.ts";

/** Waits for the end of a process that need not be a child of ours; looks every `everyMs`. */
export async function untilEnded(process: ProcessIdentity, everyMs: number, signal: AbortSignal): Promise<void> {
  while (isAlive(process)) await sleep(everyMs, signal);
}

export interface Postmaster extends ProcessIdentity {
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
  const process = identityOf(Number(lines[0]));
  if (process === undefined) return undefined;
  const program = await serverProgram(process.pid, await realpath(dataDirectory));
  if (program === undefined) return undefined;
  return { ...process, socketDirectory: lines[4] ?? "", isReady: lines[7]?.trim() === "ready", program };
}

/** Every server process of this data directory: after a kill -9 of the postmaster its children live on for a moment. */
export async function serverProcesses(dataDirectory: string): Promise<ProcessIdentity[]> {
  const directory = await realpath(dataDirectory).catch(() => undefined);
  if (directory === undefined) return [];
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const found = await Promise.all(
    pids.map(async (pid) => ((await serverProgram(pid, directory)) === undefined ? undefined : identityOf(pid))),
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
    if (name !== undefined) for (const process of remaining) signalProcess(process, name);
    const until = performance.now() + patienceMs;
    while (performance.now() < until && (await serverProcesses(dataDirectory)).length > 0) await sleep(20, signal);
  }
  await rm(join(dataDirectory, "postmaster.pid"), { force: true });
}
