import type { Database } from "../../../kit/database.ts";
import { deadline, sleep } from "../../../kit/deadlines.ts";
import { attribute } from "../../../kit/telemetry/attributes.ts";
import type { Logger } from "../../../kit/telemetry/log.ts";
import type { RunEnds } from "../../exits/ends.ts";
import { containerPaths } from "../../paths.ts";
import type { ImageDefaults } from "../../spec/spec.ts";
import { type ContainerRow, containerById } from "../../store/containers.ts";
import { type ShippedRun, shippedContainers } from "../../store/shipments.ts";
import { senderFor } from "../drivers/sender.ts";
import { stoppedForGood } from "../read-logs.ts";
import { readPlace } from "./place-file.ts";
import { shipLog } from "./ship.ts";

export interface ShipmentDeps {
  readonly db: Database;
  readonly node: string;
  readonly root: string;
  readonly ends: RunEnds;
  readonly log: Logger;
  readonly imageDefaults: (imageConfig: Buffer) => ImageDefaults;
}

const ROUND_MS = 2_000;

/** The sending on of logs to syslog and journald: a duty, so that of several replicas one does it. */
export class Shipments {
  readonly #deps: ShipmentDeps;
  #wake = Promise.withResolvers<void>();

  constructor(deps: ShipmentDeps) {
    this.#deps = deps;
  }

  /** A container whose log is sent on was started. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Follows the log of each container that is to be sent on, until the signal aborts; then waits for what is under way. */
  async follow(signal: AbortSignal): Promise<void> {
    const { db, node } = this.#deps;
    const underWay = new Map<string, Promise<void>>();
    const done = new Map<string, number>();
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      const wanted = await shippedContainers(db, node);
      for (const one of wanted) {
        if (underWay.has(one.id) || (done.get(one.id) ?? 0) >= one.run) continue;
        const shipped = this.#ship(one, signal)
          .then((isDone) => (isDone ? done.set(one.id, one.run) : undefined))
          .finally(() => underWay.delete(one.id));
        underWay.set(
          one.id,
          shipped.then(() => {}),
        );
      }
      const known = new Set(wanted.map(({ id }) => id));
      for (const id of done.keys()) if (!known.has(id)) done.delete(id);
      await this.#nextRound(signal);
    }
    await Promise.all(underWay.values());
  }

  /** False: it is to be tried again. */
  async #ship({ id, run }: ShippedRun, signal: AbortSignal): Promise<boolean> {
    const { db, root, ends, log, imageDefaults } = this.#deps;
    const { log: logPath } = containerPaths(root, id);
    try {
      if (((await readPlace(logPath))?.endedRun ?? 0) >= run) return true;
      const row = await containerById(db, id);
      if (row === undefined) return true;
      const stop = new AbortController();
      await using sender = senderFor(row, imageDefaults(row.image_config));
      using _stop = { [Symbol.dispose]: () => stop.abort() };
      const ended = stoppedForGood(id, db, ends, AbortSignal.any([signal, stop.signal]));
      await shipLog({ containerId: id, run, logPath, sender, ended, log }, signal);
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ [attribute.containerId]: id, err: error }, "sending a log on was interrupted");
      return false;
    }
  }

  async #nextRound(signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const ends = AbortSignal.any([signal, timer.signal]);
    await Promise.race([this.#wake.promise, sleep(ROUND_MS, ends).catch(() => {})]);
    timer.abort();
  }
}

const LOOK_MS = 50;
const PATIENCE_MS = 10_000;

/** Before a log is deleted: until it was sent on, by whichever replica does that. False: it took too long. */
export async function awaitShipped(row: ContainerRow, root: string, signal: AbortSignal): Promise<boolean> {
  const { log: logPath } = containerPaths(root, row.id);
  const ends = AbortSignal.any([signal, deadline(PATIENCE_MS, "send a log on")]);
  while (((await readPlace(logPath))?.endedRun ?? 0) < row.run) {
    if (ends.aborted) return false;
    await sleep(LOOK_MS, ends).catch(() => {});
  }
  return true;
}
