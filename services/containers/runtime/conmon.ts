import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { deadline, raceSignal } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { bindPidfds } from "../../kit/linux/pidfd.ts";
import type { HostFacts } from "../bundle/host-facts.ts";
import { compiledFilterPath, deleteRun, type OciRuntime } from "./oci-runtime.ts";
import type { Programs } from "./programs.ts";
import { runtimeError } from "./runtime-errors.ts";

const SYNC_FD = 3;
const START_FD = 4;
const LONGEST_SYNC_BYTES = 64 * 1024;
const SIGKILL = 9;
const ABANDON_MS = 10_000;
const FORK_MS = 500;

/** Ours in a bundle, beside conmon's `attach`, `ctl` and `winsz`. */
export const MONITOR_PID_FILE = "conmon.pid";
export const CONTAINER_PID_FILE = "pidfile";

export interface MonitorRequest {
  /** The runtime's name for this run; also the exit file's name. */
  readonly runtimeId: string;
  readonly bundlePath: string;
  readonly logPath: string;
  readonly exitsDirectory: string;
  readonly terminal: boolean;
  readonly stdin: boolean;
  /** The container's stdin stays open when an attached client ends. */
  readonly leaveStdinOpen: boolean;
  /** Moves conmon into its cgroup before it starts anything; undefined: it stays in the daemon's. */
  readonly place: ((monitorPid: number) => Promise<void>) | undefined;
}

export interface Monitor {
  readonly conmonPath: string;
  readonly runtime: OciRuntime;
  readonly programs: Programs;
  /** Learns the seccomp filters that the runtime compiles. */
  readonly facts: Pick<HostFacts, "filters">;
}

/**
 * Starts conmon, which runs the runtime's `create`, and answers with the pid of the container's first process, waiting
 * to be released. conmon then belongs to nobody and outlives this process; it writes the log, keeps the attach socket,
 * and leaves the exit code in `exitsDirectory`. crun 9 ms, runc 20 ms (2 cores, WarmMigration at work).
 * On failure nothing of the run is left. Throws what `runtimeError` makes of the runtime's words; UNAVAILABLE
 * MONITOR_FAILED when conmon says nothing.
 */
export async function createRun(monitor: Monitor, request: MonitorRequest, signal: AbortSignal): Promise<number> {
  try {
    const launch = { cwd: request.bundlePath, args: createArgs(monitor, request), place: request.place };
    const pid = await launchMonitor(monitor, launch, signal);
    await monitor.facts.filters.learn(request.bundlePath, compiledFilterPath(monitor.runtime, request.runtimeId));
    return pid;
  } catch (error) {
    monitor.facts.filters.giveUp(request.bundlePath);
    await abandonRun(monitor, request, deadline(ABANDON_MS, "take down a container that did not start"));
    throw error;
  }
}

/**
 * Starts a conmon with these arguments and gives what it answers: the pid of the process that the runtime made, or the
 * runtime's refusal as an error. `cwd` is where an OOM mark is written.
 */
export async function launchMonitor(
  monitor: Pick<Monitor, "programs" | "conmonPath">,
  { cwd, args, place }: MonitorLaunch,
  signal: AbortSignal,
): Promise<number> {
  const { pipes, nothing } = monitor.programs;
  using stack = new DisposableStack();
  const sync = pipes.fromChild();
  const start = pipes.toChild();
  const syncEnd = stack.use(sync.childEnd);
  const startEnd = stack.use(start.childEnd);
  // conmon keeps its end for as long as it lives, so one line is all there is to read
  stack.defer(() => sync.reader.destroy());
  stack.defer(() => start.writer.destroy());
  const env = [`_OCI_SYNCPIPE=${SYNC_FD}`, `_OCI_STARTPIPE=${START_FD}`];
  const fds = [nothing.fd, nothing.fd, nothing.fd, syncEnd.fd, startEnd.fd];
  const child = await monitor.programs.start({ path: monitor.conmonPath, args, cwd, env }, fds);
  syncEnd[Symbol.dispose]();
  startEnd[Symbol.dispose]();
  try {
    await place?.(child.pid);
  } catch (error) {
    // before it may go on it has started nothing, so this is all of it
    child.kill(SIGKILL);
    await child.reaped();
    throw error;
  }
  start.writer.destroy(); // to conmon an end of file here means: go on
  try {
    return parseSyncLine(await raceSignal(firstLine(sync.reader), signal, "create the container's process"));
  } finally {
    // it ends once it has forked the conmon that stays and written that one's pid; a frozen one is not waited for
    await Promise.race([child.reaped(), delay(FORK_MS)]);
  }
}

export interface MonitorLaunch {
  readonly cwd: string;
  readonly args: readonly string[];
  readonly place: MonitorRequest["place"];
}

/** Ends whatever a failed or interrupted create left: conmon, the runtime's child, state and cgroups. Idempotent. */
export async function abandonRun(monitor: Monitor, request: AbandonRequest, signal: AbortSignal): Promise<void> {
  const pid = await readMonitorPid(request.bundlePath);
  using process = pid === undefined ? undefined : bindPidfds().open(pid);
  if (process !== undefined && pid !== undefined && (await isMonitorOf(pid, request.runtimeId))) {
    process.signal(SIGKILL);
    await process.ended(signal);
  }
  await deleteRun(monitor, request.runtimeId, { force: true }, signal);
}

export type AbandonRequest = Pick<MonitorRequest, "runtimeId" | "bundlePath">;

/** The pid file may be old and the pid another program's by now; conmon's command line names the run. */
async function isMonitorOf(pid: number, runtimeId: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  return words[0]?.endsWith("conmon") === true && words.includes(runtimeId);
}

/** conmon's own pid, as long as its bundle has one. */
export async function readMonitorPid(bundlePath: string): Promise<number | undefined> {
  const text = await readFile(join(bundlePath, MONITOR_PID_FILE), "utf8").catch(() => "");
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

function createArgs({ runtime }: Monitor, request: MonitorRequest): string[] {
  const { runtimeId, bundlePath, logPath, exitsDirectory } = request;
  return [
    ...commonMonitorArgs(runtime, runtimeId, bundlePath),
    ...["--cuuid", runtimeId, "--exit-dir", exitsDirectory, "--log-path", `k8s-file:${logPath}`],
    ...(request.terminal ? ["--terminal"] : []),
    ...(request.stdin ? ["--stdin"] : []),
    ...(request.leaveStdinOpen ? ["--leave-stdin-open"] : []),
  ];
}

/** What a container's conmon and that of an exec have in common; `directory` is where it puts its files. */
export function commonMonitorArgs(runtime: OciRuntime, runtimeId: string, directory: string): string[] {
  return [
    ...["--api-version", "1", "--cid", runtimeId, "--name", runtimeId, "--log-level", "error"],
    ...["--runtime", runtime.path, "--runtime-arg", "--root", "--runtime-arg", runtime.stateRoot],
    ...["--bundle", directory, "--full-attach"],
    ...["--container-pidfile", join(directory, CONTAINER_PID_FILE)],
    ...["--conmon-pidfile", join(directory, MONITOR_PID_FILE)],
    // a log's last lines are safe from our crashes as they are; a sync at the end only delays the exit
    "--no-sync-log",
  ];
}

async function firstLine(reader: Socket): Promise<string> {
  const done = Promise.withResolvers<string>();
  let text = "";
  reader.on("data", (chunk: Buffer) => {
    text += chunk.toString("utf8");
    if (text.includes("\n") || text.length > LONGEST_SYNC_BYTES) done.resolve(text);
  });
  reader.once("end", () => done.resolve(text));
  reader.once("error", done.reject);
  return done.promise;
}

/** `{"data": PID}`, or with a negative number the runtime's words as `message`. */
function parseSyncLine(line: string): number {
  const answer = parseAnswer(line);
  if (answer === undefined) throw monitorFailed(line);
  if (answer.data > 0) return answer.data;
  throw runtimeError(answer.message, "create the container's process");
}

function parseAnswer(line: string): { data: number; message: string } | undefined {
  try {
    // an exec's conmon adds its exit code in a second line
    const { data, message } = JSON.parse(line.slice(0, line.indexOf("\n") + 1));
    return typeof data === "number" ? { data, message: typeof message === "string" ? message : "" } : undefined;
  } catch {
    return undefined;
  }
}

function monitorFailed(line: string): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "MONITOR_FAILED",
    what: "create the container's process",
    why: line === "" ? "its monitor (conmon) ended without a word" : `its monitor said: ${line.trim()}`,
    fix: "look at the host's memory and at conmon --version",
  });
}
