import { sleep } from "../../kit/deadlines.ts";
import type { Pidfds, ProcessHandle } from "../../kit/linux/pidfd.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { openProcess } from "../stop.ts";
import type { MonitoredRun } from "../store/health.ts";
import { endLeftProbe, type Probing, runProbe } from "./probe.ts";
import { nextProbeAt } from "./schedule.ts";
import { afterProbe, type Health, type HealthStatus } from "./verdict.ts";

/** Where a monitor's findings go. */
export interface Findings {
  /** Records health and the changes of status that are not recorded yet. Throws UNAVAILABLE while the database is away. */
  record(run: MonitoredRun, health: Health, changes: readonly HealthStatus[]): Promise<void>;
  /** Does what an unhealthy verdict leads to, if anything. */
  act(run: MonitoredRun, health: Health, signal: AbortSignal): Promise<void>;
}

export interface MonitorDeps extends Probing {
  readonly findings: Findings;
  readonly pidfds: Pidfds;
  readonly log: Logger;
}

const RECORD_AGAIN_MS = 1_000;

/**
 * Probes one run until it ends or the signal aborts. While the database is away it goes on, and what it found is recorded
 * when that is back.
 */
export async function monitorRun(run: MonitoredRun, deps: MonitorDeps, signal: AbortSignal): Promise<void> {
  using process = await openProcess(run, deps.pidfds);
  if (process === undefined) return;
  await endLeftProbe(run, deps.host);
  const findings = new Unrecorded(run, deps);
  let { health } = run;
  while (await untilDue(run, health, findings, process, signal)) {
    const probe = await runProbe(run, run.check, deps, signal);
    // one that failed because its container ended, or because we did, says nothing of its health
    if (signal.aborted || process.hasEnded()) return;
    const before = health.status;
    health = afterProbe(health, probe, run.check, run.startedAt);
    await findings.add(health, before !== health.status);
    if (findings.isEmpty) await deps.findings.act(run, health, signal).catch(later(run, deps));
  }
}

/** The next probe that fails comes back to it. */
function later({ id }: MonitoredRun, { log }: MonitorDeps): (error: unknown) => void {
  return (err) => log.warn({ [attribute.containerId]: id, err }, "what follows ill health was not done yet");
}

/** False: there is nothing to probe any more. */
async function untilDue(
  run: MonitoredRun,
  health: Health,
  findings: Unrecorded,
  process: ProcessHandle,
  signal: AbortSignal,
): Promise<boolean> {
  for (;;) {
    if (signal.aborted || process.hasEnded()) return false;
    const inMs = nextProbeAt(run.check, health, run.startedAt, Date.now()) - Date.now();
    if (inMs <= 0) return true;
    await sleep(findings.isEmpty ? inMs : Math.min(inMs, RECORD_AGAIN_MS), signal).catch(() => {});
    await findings.flush();
  }
}

/** What one run's probes have found and the database does not know yet. */
class Unrecorded {
  readonly #run: MonitoredRun;
  readonly #deps: MonitorDeps;
  #health: Health | undefined;
  #changes: HealthStatus[] = [];

  constructor(run: MonitoredRun, deps: MonitorDeps) {
    this.#run = run;
    this.#deps = deps;
  }

  get isEmpty(): boolean {
    return this.#health === undefined;
  }

  add(health: Health, isChange: boolean): Promise<void> {
    this.#health = health;
    if (isChange) this.#changes.push(health.status);
    return this.flush();
  }

  /** Never throws: what cannot be recorded now is kept. */
  async flush(): Promise<void> {
    const health = this.#health;
    if (health === undefined) return;
    const { findings, log } = this.#deps;
    try {
      await findings.record(this.#run, health, this.#changes);
      this.#health = undefined;
      this.#changes = [];
    } catch (error) {
      log.debug({ [attribute.containerId]: this.#run.id, err: error }, "health not recorded yet");
    }
  }
}
