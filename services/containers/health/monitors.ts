import type { Database } from "../../kit/database.ts";
import { sleep } from "../../kit/deadlines.ts";
import type { Descriptor } from "../../kit/linux/descriptor.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import { type MonitoredRun, monitoredRuns } from "../store/health.ts";
import { type MonitorDeps, monitorRun } from "./monitor.ts";
import { openReaper } from "./reaper/reaper.ts";

export interface MonitorsDeps extends Omit<MonitorDeps, "reaper"> {
  readonly db: Database;
  readonly node: string;
}

const LOOK_MS = 2_000;
/** A database that has answered for so long, and the duty is not ours: another replica has it. */
const LET_GO_MS = 3_000;

/**
 * The runs of this node that are probed. Level-triggered by rows; a monitor that has begun goes on while the database is
 * away, and ends when its run does, or when another replica has the duty.
 */
export class HealthMonitors implements AsyncDisposable {
  readonly #deps: MonitorsDeps;
  readonly #stopped = new AbortController();
  readonly #running = new Map<string, { readonly stop: AbortController; readonly ended: Promise<void> }>();
  #reaper: Descriptor | undefined;
  #wake = Promise.withResolvers<void>();
  #letGo: NodeJS.Timeout | undefined;

  constructor(deps: MonitorsDeps) {
    this.#deps = deps;
  }

  /** A run with a check has begun, was paused or goes on. */
  wake(): void {
    this.#wake.resolve();
  }

  /** The duty, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    clearInterval(this.#letGo);
    while (!signal.aborted) {
      const woken = this.#wake.promise;
      await this.#look().catch((error: unknown) => this.#deps.log.debug({ err: error }, "runs to probe not known"));
      const timer = new AbortController();
      await Promise.race([woken, sleep(LOOK_MS, AbortSignal.any([signal, timer.signal])).catch(() => {})]);
      timer.abort();
      this.#wake = Promise.withResolvers<void>();
    }
    if (!this.#stopped.signal.aborted) this.#letGoUnlessTakenUp();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    clearInterval(this.#letGo);
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#reaper?.[Symbol.dispose]();
  }

  async #look(): Promise<void> {
    const { db, node } = this.#deps;
    const wanted = new Map((await monitoredRuns(db.shared, node)).map((run) => [`${run.id}.${run.run}`, run]));
    for (const [key, { stop }] of this.#running) if (!wanted.has(key)) stop.abort();
    for (const [key, run] of wanted) if (!this.#running.has(key)) this.#begin(key, run);
  }

  #begin(key: string, run: MonitoredRun): void {
    const { log } = this.#deps;
    this.#reaper ??= openReaper();
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stopped.signal]);
    const ended = monitorRun(run, { ...this.#deps, reaper: this.#reaper }, signal)
      .catch((error: unknown) => log.warn({ [attribute.containerId]: run.id, err: error }, "health not followed"))
      .finally(() => this.#running.delete(key));
    this.#running.set(key, { stop, ended });
  }

  /** The duty was lost: with the database, which is back some time, or to another replica, which then probes. */
  #letGoUnlessTakenUp(): void {
    let answeredSince: number | undefined;
    const look = async (): Promise<void> => {
      const answers = await this.#deps.db.shared.query("select 1").then(
        () => true,
        () => false,
      );
      answeredSince = answers ? (answeredSince ?? performance.now()) : undefined;
      if (answeredSince === undefined || performance.now() - answeredSince < LET_GO_MS) return;
      clearInterval(this.#letGo);
      for (const { stop } of this.#running.values()) stop.abort();
    };
    clearInterval(this.#letGo);
    this.#letGo = setInterval(() => void look(), LOOK_MS / 2);
    this.#letGo.unref();
  }
}
