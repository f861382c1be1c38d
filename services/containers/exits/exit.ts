import type { Database, Db } from "../../kit/database.ts";
import { deadline } from "../../kit/deadlines.ts";
import { recordEvent } from "../../kit/outbox.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import { wasOomKilled } from "../cgroups/oom.ts";
import { containerCgroups } from "../cgroups/placement.ts";
import { readPeakMemory } from "../cgroups/stats/read.ts";
import { containerEvent } from "../events.ts";
import type { ContainerHost } from "../host/host.ts";
import type { Serial } from "../run/serial.ts";
import { takeDownRootfs, takeDownRun } from "../run/take-down.ts";
import { type ContainerRow, containerById, recordExit } from "../store/containers.ts";
import { exitOf } from "../store/exits.ts";
import { recordRestarting, recordWantedRestart } from "../store/restarts.ts";
import type { Exits, RunExit } from "./exit-files.ts";
import { afterExit, type RestartPolicy } from "./restart-policy.ts";

export interface ExitDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly exits: Exits;
  readonly serial: Serial;
  readonly log: Logger;
  /** A container waits for its restart now. */
  readonly onRestarting: () => void;
  /** A run's end is recorded: told at once to who waits in this process. */
  readonly onEnded: (row: ContainerRow) => void;
  /** With `--rm` and a client in the foreground: it goes with its end when that run began since then. */
  readonly removableSince: (containerId: string) => Date;
  /** A container that is being removed does not run (any more): what it has on the host can go. */
  readonly onRemovable: (row: ContainerRow) => void;
}

const CLEANUP_TIMEOUT_MS = 30_000;
/** A file of a run that no row knows, after a service died in the middle of a start. */
const UNKNOWN_RUN_MS = 60_000;

/**
 * Records the ends of runs and decides what comes after them. Idempotent by (container, run), so any replica may do it:
 * the one with the duty for all that it finds, one that has just started a container for that one.
 */
export class ExitFollower implements AsyncDisposable {
  readonly #deps: ExitDeps;
  /** Runs that are being settled now, by the name of their exit file. */
  readonly #settling = new Map<string, Promise<void>>();
  /** Those of them that somebody asked for meanwhile: the answer may have changed. */
  readonly #again = new Set<string>();
  /** Runs that begin now: their row is about to come, and there is nothing to record before. */
  readonly #starting = new Set<string>();

  constructor(deps: ExitDeps) {
    this.#deps = deps;
  }

  /** The duty: settles every exit that is there or comes, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { exits } = this.#deps;
    for await (const _ of exits.changes(signal)) {
      const isBusy = (name: string) => this.#settling.has(name) || this.#starting.has(name);
      for (const exit of await exits.pending(isBusy)) this.#begin(exit);
    }
  }

  /** Hold it from before a run begins until its row is written; its end is settled then, however early it came. */
  starting(containerId: string, run: number): Disposable {
    const key = `${containerId}.${run}`;
    this.#starting.add(key);
    return {
      [Symbol.dispose]: () => {
        this.#starting.delete(key);
        this.#look(containerId, run);
      },
    };
  }

  #look(containerId: string, run: number): void {
    const { exits, log } = this.#deps;
    exits.find(containerId as RunExit["containerId"], run).then(
      (exit) => {
        if (exit !== undefined) this.#begin(exit);
      },
      (error: unknown) => log.warn({ err: error }, "exit file not read"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#settling.values());
  }

  #begin(exit: RunExit): void {
    const key = `${exit.containerId}.${exit.run}`;
    if (this.#settling.has(key)) {
      this.#again.add(key);
      return;
    }
    const { log } = this.#deps;
    const settled = this.#settle(exit)
      .catch((error: unknown) => {
        const level = isUnavailable(error) ? "debug" : "warn";
        log[level]({ [attribute.containerId]: exit.containerId, err: error }, "exit not settled yet");
      })
      .finally(() => {
        this.#settling.delete(key);
        if (this.#again.delete(key)) this.#look(exit.containerId, exit.run);
      });
    this.#settling.set(key, settled);
  }

  #settle(exit: RunExit): Promise<void> {
    const attributes = { [attribute.containerId]: exit.containerId, [attribute.exitCode]: exit.exitCode };
    return inSpan("container.exit", { attributes }, async () => {
      const { exits } = this.#deps;
      const row = await this.#record(exit);
      if (row === undefined && (await this.#mayYetCome(exit))) return;
      await this.#cleanUp(exit, row);
      await exits.forget(exit);
    });
  }

  /**
   * An exit that was not recorded: its start is about to be, and then this or the next round comes back to it. Only what
   * is recorded, or can never be, is forgotten.
   */
  async #mayYetCome({ containerId, run, finishedAt }: RunExit): Promise<boolean> {
    const { db } = this.#deps;
    if ((await exitOf(db, containerId, run)) !== undefined) return false;
    const known = await containerById(db, containerId);
    if (known === undefined || known.run > run) return false;
    return known.run === run || Date.now() - finishedAt.getTime() < UNKNOWN_RUN_MS;
  }

  /** Undefined: the kernel does not say. Most have no parent of their own, and no row is read for them. */
  async #peakMemory({ containerId }: RunExit): Promise<number | undefined> {
    const { host } = this.#deps;
    const usual = readPeakMemory(host.layout, containerCgroups(host.cgroupParent, containerId).payload);
    const found = usual === "gone" ? readPeakMemory(host.layout, await this.#cgroupOf(containerId)) : usual;
    return found === "gone" ? undefined : found;
  }

  async #cgroupOf(containerId: RunExit["containerId"]): Promise<string> {
    const { db, host } = this.#deps;
    const row = await containerById(db, containerId);
    return containerCgroups(host.cgroupParent, containerId, row?.spec.cgroupParent).payload;
  }

  /** Undefined: it was recorded before, or its run has no row. */
  async #record(exit: RunExit): Promise<ContainerRow | undefined> {
    const { db, host, log, removableSince } = this.#deps;
    const oomKilled =
      exit.isOomKilled ||
      (exit.exitCode === 137 && (await wasOomKilled(host.layout, await this.#cgroupOf(exit.containerId))));
    const record = {
      id: exit.containerId,
      run: exit.run,
      exitCode: exit.exitCode,
      oomKilled,
      peakMemoryBytes: await this.#peakMemory(exit),
      finishedAt: exit.finishedAt,
      removableSince: removableSince(exit.containerId),
    };
    const row = await db.transaction(async (tx) => {
      const ended = await recordExit(tx, record);
      if (ended === undefined) return undefined;
      const isMoved = await recordEnd(tx, db.schema, ended);
      return isMoved ? ((await containerById(tx, ended.id)) ?? ended) : ended;
    });
    if (row === undefined) return undefined;
    this.#deps.onEnded(row);
    log.info(
      { [attribute.containerId]: row.id, [attribute.exitCode]: exit.exitCode, "ctl.run": exit.run },
      "container exited",
    );
    if (row.state === "restarting") this.#deps.onRestarting();
    return row;
  }

  async #cleanUp({ containerId, run }: RunExit, row: ContainerRow | undefined): Promise<void> {
    const { host, serial, db, onRemovable } = this.#deps;
    if (row?.state === "removing") return onRemovable(row);
    const signal = deadline(CLEANUP_TIMEOUT_MS, "clean up after a container's exit");
    await serial.run(
      containerId,
      async () => {
        const now = await containerById(db, containerId);
        if (now !== undefined && now.run > run) return; // a newer run has the cgroups and the root
        await takeDownRun(containerId, run, host, signal);
        const isOver = (now ?? row)?.state === "exited";
        if (isOver) await takeDownRootfs(containerId, host);
      },
      signal,
    );
  }
}

/** In the transaction of the exit: its events, and the restart that its policy wants. True: then the row has changed. */
export async function recordEnd(tx: Db, schema: string, row: ContainerRow): Promise<boolean> {
  if (row.oom_killed) await recordEvent(tx, schema, containerEvent("oom", row));
  const execDuration = String(Math.floor(ranMs(row) / 1_000));
  await recordEvent(tx, schema, containerEvent("die", row, { execDuration, exitCode: String(row.exit_code ?? 0) }));
  if (row.state !== "exited") return false;
  if (row.wants_restart) {
    await recordWantedRestart(tx, row.id, row.run);
    return true;
  }
  const verdict = afterExit({
    policy: policyOf(row),
    exitCode: row.exit_code ?? 0,
    isStoppedByUser: row.is_stopped_by_user,
    ranMs: ranMs(row),
    restartCount: row.restart_count,
    lastDelayMs: row.restart_delay_ms,
  });
  if (verdict.restart) await recordRestarting(tx, row.id, row.run, verdict.delayMs);
  return verdict.restart;
}

function ranMs({ started_at: startedAt, finished_at: finishedAt }: ContainerRow): number {
  return (finishedAt?.getTime() ?? 0) - (startedAt?.getTime() ?? 0);
}

export function policyOf(row: Pick<ContainerRow, "restart_mode" | "restart_max">): RestartPolicy {
  if (row.restart_mode !== "on-failure") return { mode: row.restart_mode };
  return { mode: "on-failure", maxRetries: row.restart_max };
}

function isUnavailable(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "UNAVAILABLE";
}
