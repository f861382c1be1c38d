import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../kit/deadlines.ts";
import { type CgroupLayout, directoriesOf } from "./layout.ts";

const LOOK_MS = 5;
const SIGKILL = 9;

/** The processes in a cgroup and the ones below it; none when it is gone. */
export async function processesIn(layout: CgroupLayout, path: string): Promise<number[]> {
  const pids = new Set<number>();
  for (const directory of directoriesOf(layout, path)) {
    const text = await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => "");
    for (const line of text.split("\n")) if (line !== "") pids.add(Number(line));
  }
  return [...pids];
}

/**
 * Kills everything in a cgroup and waits until it is empty: at once with v2's cgroup.kill, else round after round,
 * since processes may fork meanwhile. Needed where the first process's end does not end the rest: with the host's PID
 * namespace. Rejects when the signal aborts.
 */
export async function killCgroup(layout: CgroupLayout, path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    if (!(await killAtOnce(layout, path))) killEach(await processesIn(layout, path));
    if ((await processesIn(layout, path)).length === 0) return;
    await sleep(LOOK_MS, signal);
  }
}

async function killAtOnce(layout: CgroupLayout, path: string): Promise<boolean> {
  if (layout.mode !== "v2") return false;
  try {
    await writeFile(join(layout.root, path, "cgroup.kill"), "1");
    return true;
  } catch {
    return false; // before Linux 5.14, or gone
  }
}

function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, SIGKILL);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
    }
  }
}
