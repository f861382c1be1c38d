import type { Db } from "../../kit/database.ts";
import type { RunEnds } from "../exits/ends.ts";
import { findContainer } from "../find.ts";
import { isUp } from "../lifecycle.ts";
import { containerPaths } from "../paths.ts";
import type { ImageDefaults } from "../spec/spec.ts";
import { containerById } from "../store/containers.ts";
import { type Attributes, attributesOf } from "./drivers/attributes.ts";
import { requireReadable } from "./drivers/driver.ts";
import { type ReadRequest, readLog } from "./read.ts";
import type { LogRecord } from "./record.ts";

export interface LogsWish extends Omit<ReadRequest, "logPath" | "until"> {
  readonly follow: boolean;
}

export interface LogDeps {
  readonly db: Db;
  readonly root: string;
  readonly ends: RunEnds;
  readonly imageDefaults: (imageConfig: Buffer) => ImageDefaults;
}

export interface ContainerLog {
  /** What the driver's options take along with each line. */
  readonly attributes: Attributes;
  readonly records: AsyncGenerator<LogRecord[]>;
}

/**
 * What a container wrote, of all its runs. Following goes on over restarts and rotations until the container has stopped
 * for good. Throws NOT_FOUND CONTAINER_NOT_FOUND; UNIMPLEMENTED LOGS_NOT_READABLE.
 */
export async function readLogs(
  reference: string,
  wish: LogsWish,
  deps: LogDeps,
  signal: AbortSignal,
): Promise<ContainerLog> {
  const row = await findContainer(deps.db, reference);
  requireReadable(row.spec.logging, row.name);
  return {
    attributes: attributesOf(row, deps.imageDefaults(row.image_config)),
    records: recordsOf(row.id, wish, deps, signal),
  };
}

async function* recordsOf(
  id: string,
  wish: LogsWish,
  { db, root, ends }: LogDeps,
  signal: AbortSignal,
): AsyncGenerator<LogRecord[]> {
  const { log: logPath } = containerPaths(root, id);
  const stop = new AbortController();
  const ended = () => stoppedForGood(id, db, ends, AbortSignal.any([signal, stop.signal]));
  try {
    yield* readLog({ ...wish, logPath, until: wish.follow ? { ended: ended() } : undefined }, signal);
  } finally {
    stop.abort();
  }
}

/** It has ended and no policy starts it again; or it is gone. */
export async function stoppedForGood(id: string, db: Db, ends: RunEnds, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    using end = ends.next(id); // before the look: an end in between is not missed
    const row = await containerById(db, id);
    if (row === undefined || !(isUp(row.state) || row.state === "restarting")) return;
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.race([end.ended, aborted.promise]);
    signal.removeEventListener("abort", onAbort);
  }
}
