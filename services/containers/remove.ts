import { deadline } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import { removeAskedParent } from "./cgroups/placement.ts";
import { containerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { isUp } from "./lifecycle.ts";
import { isShipped } from "./logs/drivers/driver.ts";
import { awaitShipped } from "./logs/shipping/shipments.ts";
import type { Serial } from "./run/serial.ts";
import { takeDownAll } from "./run/take-down.ts";
import { endProcess, type StopDeps } from "./stop.ts";
import { type ContainerRow, containerById, lockContainer } from "./store/containers.ts";
import { deleteGone, markCleaned, markReleased, markRemoving, removingContainers } from "./store/removals.ts";

export interface RemoveDeps extends StopDeps {
  readonly host: ContainerHost;
  readonly serial: Serial;
  readonly log: Logger;
}

const CLEANUP_TIMEOUT_MS = 60_000;
const SIGKILL = 9;

/**
 * Removals: out of sight first (the name is free), the process ended, and then what it has on the host goes in the
 * background, owned by this object; a crash leaves the row, and `resume` goes on.
 */
export class Removals implements AsyncDisposable {
  readonly #deps: RemoveDeps;
  readonly #cleaning = new Map<string, Promise<void>>();

  constructor(deps: RemoveDeps) {
    this.#deps = deps;
  }

  /**
   * Idempotent. Throws FAILED_PRECONDITION CONTAINER_RUNNING without force; NOT_FOUND CONTAINER_NOT_FOUND.
   */
  async remove(reference: string, force: boolean, signal: AbortSignal): Promise<{ id: string; name: string }> {
    const { db } = this.#deps;
    const { id } = await findContainer(db, reference);
    const row = await db.transaction(async (tx) => {
      const locked = await lockContainer(tx, id);
      if (locked === undefined || locked.state === "removing") return locked;
      if (!force && (isUp(locked.state) || locked.state === "restarting")) throw running(locked);
      await markRemoving(tx, id);
      return locked;
    });
    if (row === undefined) return { id, name: "" };
    if (row.state === "paused") await this.#deps.resume(row);
    if (row.pid !== 0) await endProcess(row, SIGKILL, 0, this.#deps, signal);
    this.clean(row);
    return { id, name: row.name };
  }

  /** Nothing else holds anything for it any more: the row goes as soon as the host is clean. Idempotent. */
  async forget(reference: string): Promise<void> {
    const { db } = this.#deps;
    const row = await containerById(db, reference);
    if (row === undefined) return;
    await db.transaction(async (tx) => {
      const [isFirst] = await Promise.all([markReleased(tx, row.id), deleteGone(tx, row.id)]);
      if (isFirst) await recordEvent(tx, db.schema, containerEvent("destroy", row));
    });
  }

  /** Goes on with the removals that a crash interrupted. */
  async resume(node: string): Promise<void> {
    for (const row of await removingContainers(this.#deps.db, node)) this.clean(row);
  }

  /** Takes down what it has on the host, behind the caller's back; its row says that it is being removed. Idempotent. */
  clean(row: ContainerRow): void {
    if (this.#cleaning.has(row.id)) return;
    const { host, serial, db, log } = this.#deps;
    const signal = deadline(CLEANUP_TIMEOUT_MS, `take down container ${row.name}`);
    const work = async (): Promise<void> => {
      if (isShipped(row.spec.logging) && row.run > 0 && !(await awaitShipped(row, host.root, signal))) {
        log.warn({ [attribute.containerId]: row.id }, "log removed before all of it was sent on");
      }
      await takeDownAll(row.id, row.run, host, signal);
      removeAskedParent(host.layout, host.cgroupParent, row.spec.cgroupParent);
      await db.transaction((tx) => Promise.all([markCleaned(tx, row.id), deleteGone(tx, row.id)]));
    };
    const cleaned = serial
      .run(row.id, work, signal)
      .catch((error: unknown) =>
        log.warn({ [attribute.containerId]: row.id, err: error }, "container not taken down yet"),
      )
      .finally(() => this.#cleaning.delete(row.id));
    this.#cleaning.set(row.id, cleaned);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#cleaning.values());
  }
}

function running({ name, state }: ContainerRow): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_RUNNING",
    what: `remove container ${name}`,
    why: `it is ${state}`,
    fix: `stop it first (ctl stop ${name}), or remove it with --force`,
  });
}
