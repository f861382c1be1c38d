import { stat } from "node:fs/promises";
import { sleep } from "../../kit/deadlines.ts";
import { asCtlError, isCtlError } from "../../kit/errors.ts";
import { recordEvent } from "../../kit/outbox.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import { containerEvent } from "../events.ts";
import { shiftOf } from "../host/remap.ts";
import { isShipped } from "../logs/drivers/driver.ts";
import { containerPaths } from "../paths.ts";
import { mountRootfs, rootfsDirectories } from "../rootfs/overlay.ts";
import type { Given } from "../run/given.ts";
import { nextRunNumber } from "../run/run.ts";
import { deleteKnownRun, takeDownRootfs } from "../run/take-down.ts";
import { movedOn, runOf, type StartDeps } from "../start.ts";
import { type ContainerRow, containerById, recordStart } from "../store/containers.ts";
import { wantStart } from "../store/due.ts";
import { beginHealth } from "../store/health.ts";
import { cancelRestart, dueRestarts, postponeRestart } from "../store/restarts.ts";
import { policyOf } from "./exit.ts";
import { afterExit } from "./restart-policy.ts";

const IDLE_MS = 5_000;
const START_TIMEOUT_MS = 60_000;
const DELETE_TIMEOUT_MS = 10_000;

/**
 * Starts again what a policy wants, in the sandbox and with the mounts that the container has, needing no other service.
 * Level-triggered by rows in the state `restarting`; a sandbox that is gone makes it the gateway's business.
 */
export class Restarts {
  readonly #deps: StartDeps;
  readonly #node: string;
  readonly #busy = new Map<string, Promise<void>>();
  #wake = Promise.withResolvers<void>();

  constructor(deps: StartDeps, node: string) {
    this.#deps = deps;
    this.#node = node;
  }

  wake(): void {
    this.#wake.resolve();
  }

  /** The duty, until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const woken = this.#wake.promise;
      const nextInMs = await this.#startDue(signal).catch((error: unknown) => {
        this.#deps.log.debug({ err: error }, "restarts not looked through");
        return IDLE_MS;
      });
      const timer = new AbortController();
      await Promise.race([woken, sleep(nextInMs, AbortSignal.any([signal, timer.signal])).catch(() => {})]);
      timer.abort();
      this.#wake = Promise.withResolvers<void>();
    }
    await Promise.all(this.#busy.values());
  }

  /** How long until the next one is due. */
  async #startDue(signal: AbortSignal): Promise<number> {
    let nextInMs = IDLE_MS;
    for (const row of await dueRestarts(this.#deps.db, this.#node)) {
      if (this.#busy.has(row.id)) continue;
      const inMs = Math.max(0, row.due_in_ms);
      if (inMs > 0) nextInMs = Math.min(nextInMs, inMs);
      else this.#begin(row, signal);
    }
    return nextInMs;
  }

  #begin({ id }: ContainerRow, signal: AbortSignal): void {
    const { serial, log } = this.#deps;
    const ends = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    const work = serial
      .run(id, () => this.#restart(id, ends), ends)
      .catch((error: unknown) => log.warn({ [attribute.containerId]: id, err: error }, "container not restarted"))
      .finally(() => {
        this.#busy.delete(id);
        this.wake();
      });
    this.#busy.set(id, work);
  }

  async #restart(id: string, signal: AbortSignal): Promise<void> {
    const { db, log } = this.#deps;
    const row = await containerById(db, id);
    if (row?.state !== "restarting" || row.given === null) return;
    if (!(await hasSandbox(row.given))) {
      // together: who waits for the restart must not see it cancelled and nothing in its place
      await db.transaction(async (tx) => {
        await cancelRestart(tx, id, "");
        await wantStart(tx, id);
      });
      log.info({ [attribute.containerId]: id }, "sandbox gone, to be started with another");
      return;
    }
    try {
      await this.#startAgain(row, row.given, signal);
      log.info({ [attribute.containerId]: id, "ctl.restarts": row.restart_count }, "container restarted");
    } catch (error) {
      if (signal.aborted) throw error;
      if (isCtlError(error, "ABORTED")) {
        log.info({ [attribute.containerId]: id }, "stopped or removed while it was being restarted");
        await takeDownRootfs(id, this.#deps.host);
        return;
      }
      await this.#afterFailure(row, error);
    }
  }

  async #startAgain(row: ContainerRow, given: Given, signal: AbortSignal): Promise<void> {
    const { db, host, exits } = this.#deps;
    const directories = rootfsDirectories(containerPaths(host.root, row.id).bundle);
    const overlay = { directories, layers: row.layers, isVolatile: false, shift: shiftOf(row.spec, host.remap) };
    await mountRootfs(overlay, (request) => host.thread.mountRoot(request));
    const run = await nextRunNumber(row.id, row.run, host, signal);
    using _ = exits.starting(row.id, run);
    const started = await runOf(row, run, given, this.#deps, signal);
    const facts = {
      id: row.id,
      run,
      operation: "",
      epoch: host.bootId,
      runtime: row.runtime || host.runtime.kind,
      given,
    };
    const record = async () =>
      db.transaction(async (tx) => {
        if (!(await recordStart(tx, { ...facts, ...started }))) throw movedOn(row.name);
        if (row.spec.healthcheck !== undefined) await beginHealth(tx, row.id);
        await recordEvent(tx, db.schema, containerEvent("start", row));
      });
    try {
      await record();
    } catch (error) {
      // a run that no row knows would be nobody's to end
      await deleteKnownRun(row.id, run, host, AbortSignal.timeout(DELETE_TIMEOUT_MS)).catch(() => {});
      throw error;
    }
    if (row.spec.healthcheck !== undefined) this.#deps.onProbed();
    if (isShipped(row.spec.logging)) this.#deps.onShipped();
  }

  /** A restart that fails counts like a run that ended at once: waited for longer, as often as the policy says. */
  async #afterFailure(row: ContainerRow, cause: unknown): Promise<void> {
    const { db, host, log } = this.#deps;
    const error = asCtlError(cause, `restart container ${row.name}`);
    const { restart_count: restartCount, restart_delay_ms: lastDelayMs } = row;
    const ended = { exitCode: 127, isStoppedByUser: false, ranMs: 0, restartCount, lastDelayMs };
    const verdict = afterExit({ policy: policyOf(row), ...ended });
    log.warn({ [attribute.containerId]: row.id, err: error }, "container not restarted");
    if (verdict.restart) {
      await postponeRestart(db, row.id, verdict.delayMs, error.why);
      return;
    }
    await cancelRestart(db, row.id, error.why);
    await takeDownRootfs(row.id, host);
  }
}

/** The host's network needs none; another one is a netns that a reboot took away. */
async function hasSandbox({ netnsPath }: Given): Promise<boolean> {
  if (netnsPath === "") return true;
  return stat(netnsPath).then(
    () => true,
    () => false,
  );
}
