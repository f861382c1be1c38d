import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deadline, sleep } from "../../kit/deadlines.ts";
import { configText } from "../bundle/bundle.ts";
import { CONTAINER_PID_FILE, commonMonitorArgs, launchMonitor, type Monitor } from "../runtime/conmon.ts";
import type { ExecRequest } from "./exec.ts";
import { killTree } from "./kill-tree.ts";

const EXIT_DIRECTORY = "exit";
const LOOK_MS = 1_000;
const START_MS = 10_000;

/**
 * Starts an exec for nobody (`exec -d`): under a conmon of its own, so that it and its exit code outlive this process;
 * its output goes nowhere, as in Docker. Answers the pid of its process. The directory stays until `forgetDetached`.
 * Throws as `startExec` does; then nothing is left of it.
 */
export async function startDetachedExec(
  monitor: Monitor,
  { runtimeId, directory, process }: Omit<ExecRequest, "stdin">,
  place: ((monitorPid: number) => Promise<void>) | undefined,
  signal: AbortSignal,
): Promise<number> {
  const exits = join(directory, EXIT_DIRECTORY);
  const processPath = join(directory, "process.json");
  await mkdir(exits, { recursive: true, mode: 0o700 });
  await writeFile(processPath, configText(process), { mode: 0o600 });
  const args = [
    ...commonMonitorArgs(monitor.runtime, runtimeId, directory),
    ...["--cuuid", runtimeId, "--exec", "--exec-process-spec", processPath, "--exit-dir", exits, "--log-path", "none"],
  ];
  try {
    return await launchMonitor(monitor, { cwd: directory, args, place }, signal);
  } catch (error) {
    await endLeftExec(directory, runtimeId, deadline(START_MS, "take down an exec that did not start"));
    throw error;
  }
}

/** The exit code of a detached exec; undefined while it runs. */
export async function detachedExit(directory: string): Promise<number | undefined> {
  const exits = join(directory, EXIT_DIRECTORY);
  const [name] = (await readdir(exits).catch(() => [])).filter((one) => !/\.[A-Za-z0-9]{6}$/.test(one));
  if (name === undefined) return undefined;
  const code = Number.parseInt(await readFile(join(exits, name), "utf8"), 10);
  return Number.isNaN(code) ? undefined : code;
}

/** Waits for its end, whichever process of ours started it; seen at once with inotify, else within a second. */
export async function detachedEnded(directory: string, signal: AbortSignal): Promise<number> {
  let changed = Promise.withResolvers<void>();
  using _ = watchDirectory(join(directory, EXIT_DIRECTORY), () => changed.resolve());
  for (;;) {
    const code = await detachedExit(directory);
    if (code !== undefined) return code;
    await Promise.race([changed.promise, sleep(LOOK_MS, signal)]);
    changed = Promise.withResolvers<void>();
  }
}

/** Removes the files of an exec that has ended. Idempotent. */
export async function forgetDetached(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

/**
 * Ends what is left of an exec whose service died under it, and removes its directory: an attached exec ends with its
 * client, and that one went with the service. Only a process that is in the container's cgroup is touched, since the
 * pid in the file may be another's by now. Idempotent.
 */
export async function endLeftExec(directory: string, runtimeId: string, signal: AbortSignal): Promise<void> {
  for (const name of ["pid", CONTAINER_PID_FILE]) {
    const pid = Number((await readFile(join(directory, name), "utf8").catch(() => "")).trim());
    if (pid > 0 && (await isInCgroupOf(pid, runtimeId))) await killTree(pid, signal);
  }
  await rm(directory, { recursive: true, force: true });
}

/** The cgroup's name holds the container's id, which is the runtime's name without the run. */
export async function isInCgroupOf(pid: number, runtimeId: string): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return text.includes(`/${runtimeId.replace(/\.\d+$/, "")}`);
}

function watchDirectory(directory: string, onChange: () => void): Disposable {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(directory, { persistent: false }, onChange);
    watcher.on("error", () => watcher?.close());
  } catch {
    // no inotify instance left: the looks every second do it
  }
  return { [Symbol.dispose]: () => watcher?.close() };
}
