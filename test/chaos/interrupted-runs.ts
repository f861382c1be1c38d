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

const SCRIPT = "echo begin; sleep 0.05; echo end; exit 7";
const WHOLE = { exitCode: 7, stdout: "begin\nend\n" };
/** What takes the container itself, or its client, with it: nobody is left who could have all of it. */
const FATAL: ReadonlySet<Victim> = new Set(["conmon", "ctl"]);
/** Docker's for a container that did not start. */
const NOT_STARTED = 125;

/**
 * One `run --rm` with a kill -9 in the middle. Ends when `ctl` has ended, and the daemon serves again; only a gateway is
 * started anew by us, as systemd would do it. Throws when a container that ran was cut short for its client: it has all of
 * its output and its exit code, or it was told that it did not start.
 */
export async function runInterrupted(
  daemon: TestDaemon,
  { victim, afterMs }: Interruption,
  signal: AbortSignal,
): Promise<string> {
  await using run = daemon.startCtl(["run", "--rm", "busybox", "sh", "-c", SCRIPT]);
  if (victim === "conmon") await killMonitor(daemon);
  else {
    await sleep(afterMs, signal);
    if (victim === "ctl") run.signal("SIGKILL");
    else await daemon.kill(victim);
  }
  if (victim === "gateway") await daemon.start();
  const exitCode = await run.exitCode(60_000);
  await eventually(async () => (await daemon.ctl("ps")).exitCode === 0, 30_000);
  const story = `${victim} killed after ${afterMs} ms: ctl ended with ${exitCode} ${JSON.stringify(run.stdout() + run.stderr())}`;
  const isWhole = exitCode === WHOLE.exitCode && run.stdout() === WHOLE.stdout;
  const isRefused = exitCode === NOT_STARTED && run.stdout() === "";
  if (!isWhole && !isRefused && !FATAL.has(victim)) throw new Error(story);
  return story;
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
