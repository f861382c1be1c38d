import { sleep } from "../../services/kit/deadlines.ts";
import type { TestDaemon } from "../lab/daemon.ts";
import { processesOf } from "../lab/daemon-processes.ts";
import { eventually } from "../lab/eventually.ts";

/** Whose process is killed while a container is being run. */
export const VICTIMS = ["gateway", "images", "containers", "networks", "volumes", "postgres", "conmon", "ctl"] as const;
export type Victim = (typeof VICTIMS)[number];

export interface Interruption {
  readonly victim: Victim;
  /** From the start of `ctl` to the kill. */
  readonly afterMs: number;
}

/** A different process each time, and a different moment: the whole of a start, and a little more, is covered. */
export function interruptions(count: number): Interruption[] {
  return Array.from({ length: count }, (_, index) => ({
    victim: VICTIMS[index % VICTIMS.length] ?? "gateway",
    afterMs: (index * 29) % 160,
  }));
}

/**
 * One `run --rm` with a kill -9 in the middle. Ends when `ctl` has ended, whatever it answered, and the daemon serves
 * again; only a gateway is started anew by us, as systemd would do it.
 */
export async function runInterrupted(
  daemon: TestDaemon,
  { victim, afterMs }: Interruption,
  signal: AbortSignal,
): Promise<string> {
  await using run = daemon.startCtl(["run", "--rm", "busybox", "sleep", "0.05"]);
  if (victim === "conmon") await killMonitor(daemon);
  else {
    await sleep(afterMs, signal);
    if (victim === "ctl") run.signal("SIGKILL");
    else await daemon.kill(victim);
  }
  const exitCode = await run.exitCode(60_000);
  if (victim === "gateway") await daemon.start();
  await eventually(async () => (await daemon.ctl("ps")).exitCode === 0, 30_000);
  return `${victim} killed after ${afterMs} ms: ctl ended with ${exitCode} ${run.stderr().trim().split("\n")[0] ?? ""}`;
}

/** The monitor of the container that is being run, as soon as there is one. */
async function killMonitor(daemon: TestDaemon): Promise<void> {
  const [monitor] = await eventually(async () => {
    const found = await processesOf("conmon", daemon);
    return found.length > 0 && found;
  }).catch(() => []);
  try {
    if (monitor !== undefined) process.kill(monitor.identity.pid, "SIGKILL");
  } catch {
    // the container had ended, and its monitor with it
  }
}
