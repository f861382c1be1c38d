import type { Database } from "../kit/database.ts";
import { deadline, sleep } from "../kit/deadlines.ts";
import { CtlError, isCtlError } from "../kit/errors.ts";
import { beginStep, beginUndo, recordEvent } from "../kit/outbox.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import { containerEvent } from "./events.ts";
import type { ExitFollower } from "./exits/exit.ts";
import { containerNotFound, findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { isUp } from "./lifecycle.ts";
import { isShipped } from "./logs/drivers/driver.ts";
import { beingRemoved, prepareRow } from "./prepare.ts";
import { failedStartCode } from "./program/exit-code.ts";
import type { Given } from "./run/given.ts";
import { findOthers } from "./run/others.ts";
import { nextRunNumber, type StartedRun, startRun } from "./run/run.ts";
import type { Serial } from "./run/serial.ts";
import { deleteKnownRun, takeDownRootfs } from "./run/take-down.ts";
import { type ContainerId, type ImageDefaults, isContainerId } from "./spec/spec.ts";
import { type ContainerRow, containerById, recordError, recordStart } from "./store/containers.ts";
import { beginHealth } from "./store/health.ts";

export interface StartDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly serial: Serial;
  readonly exits: ExitFollower;
  readonly log: Logger;
  /** What the image says, from the bytes kept in the row. */
  readonly imageDefaults: (imageConfig: Buffer) => ImageDefaults;
  /** A run with a health check has begun, was paused or goes on. */
  readonly onProbed: () => void;
  /** A run has begun whose output is sent on. */
  readonly onShipped: () => void;
}

export interface StartResult {
  readonly pid: number;
  readonly run: number;
  /** False: it ran already. */
  readonly changed: boolean;
}

/**
 * Starts a new run with what the other services gave. Idempotent by operation: one that runs is answered as it is.
 * Throws FAILED_PRECONDITION CONTAINER_BEING_REMOVED, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_REFUSED …;
 * ABORTED OPERATION_UNDONE. The container is then as it was before.
 */
export async function startContainer(
  reference: string,
  operation: string,
  given: Given,
  deps: StartDeps,
  signal: AbortSignal,
): Promise<StartResult> {
  // by a whole id nothing is to be looked up
  const id = isContainerId(reference) ? reference : (await findContainer(deps.db, reference)).id;
  return deps.serial.run(id, () => startNow(id, operation, given, deps, signal), signal);
}

async function startNow(
  id: string,
  operation: string,
  given: Given,
  deps: StartDeps,
  signal: AbortSignal,
): Promise<StartResult> {
  const row = await containerById(deps.db, id);
  if (row === undefined) throw containerNotFound(id);
  // first: what this operation started may have ended since, and be on its way out (`--rm`)
  if (row.started_by === operation && operation !== "") {
    return { pid: row.pid, run: row.run, changed: !isUp(row.state) };
  }
  if (row.state === "removing") throw beingRemoved(row.name);
  if (isUp(row.state)) return { pid: row.pid, run: row.run, changed: false };
  const run = await nextRunNumber(id, row.run, deps.host, signal);
  // one that ends at once has its exit file before its row
  using _ = deps.exits.starting(id, run);
  await prepareRow(row, deps.host);
  const started = await runOf(row, run, given, deps, signal).catch(async (error: unknown) => {
    if (error instanceof CtlError)
      await recordError(deps.db, id, error.why, failedStartCode(error.reason)).catch(() => {});
    throw error;
  });
  await record(row, run, operation, given, started, deps);
  if (row.spec.healthcheck !== undefined) deps.onProbed();
  if (isShipped(row.spec.logging)) deps.onShipped();
  return { pid: started.pid, run, changed: true };
}

/** A run's process, not yet in its row: for a start, and for a restart by policy. */
export async function runOf(
  row: ContainerRow,
  run: number,
  given: Given,
  { db, host, imageDefaults }: StartDeps,
  signal: AbortSignal,
): Promise<StartedRun> {
  const wish = {
    id: row.id as ContainerId,
    run,
    spec: row.spec,
    image: imageDefaults(row.image_config),
    given,
    others: await findOthers(row, given, { db, root: host.root }),
  };
  return startRun(wish, host, signal);
}

async function record(
  row: ContainerRow,
  run: number,
  operation: string,
  given: Given,
  { pid, startTicks, startedAt }: StartedRun,
  { db, host }: StartDeps,
): Promise<void> {
  const start = {
    id: row.id,
    run,
    operation,
    pid,
    startTicks,
    epoch: host.bootId,
    runtime: row.spec.runtime || host.runtime.kind,
  };
  const write = () =>
    db.transaction(async (tx) => {
      if (operation !== "") await beginStep(tx, operation, `start container ${row.name}`);
      if (!(await recordStart(tx, { ...start, startedAt, given }))) throw movedOn(row.name);
      if (row.spec.healthcheck !== undefined) await beginHealth(tx, row.id);
      await recordEvent(tx, db.schema, containerEvent("start", row));
    });
  const isWritten = async () => (await containerById(db, row.id))?.run === run;
  try {
    await writtenOnceThere(write, isWritten);
  } catch (error) {
    await deleteKnownRun(row.id, run, host, AbortSignal.timeout(10_000)).catch(() => {});
    throw error;
  }
}

/**
 * A process that runs, and may have written something to its client, is not ended because the database is restarted at this
 * moment. A commit whose answer was lost counts.
 */
async function writtenOnceThere(write: () => Promise<void>, isWritten: () => Promise<boolean>): Promise<void> {
  const patience = deadline(DATABASE_AWAY_MS, "record a start");
  for (let attempt = 0; ; attempt++) {
    try {
      if (attempt > 0 && (await isWritten())) return;
      await write();
      return;
    } catch (error) {
      if (!isCtlError(error, "UNAVAILABLE") || patience.aborted) throw error;
      await sleep(RETRY_MS, patience).catch(() => {});
    }
  }
}

const DATABASE_AWAY_MS = 15_000;
const RETRY_MS = 100;

/** Ends the run that this operation started and takes the root down; a container that ran before is left as it is. */
export async function undoStart(
  reference: string,
  operation: string,
  deps: StartDeps,
  signal: AbortSignal,
): Promise<void> {
  await deps.db.transaction((tx) => beginUndo(tx, operation));
  const row = await containerById(deps.db, reference);
  if (row === undefined) return;
  await deps.serial.run(
    row.id,
    async () => {
      const now = await containerById(deps.db, row.id);
      if (now === undefined || (isUp(now.state) && now.started_by !== operation)) return;
      if (now.state === "restarting") return;
      await deleteKnownRun(row.id, now.run, deps.host, signal);
      await deleteKnownRun(row.id, now.run + 1, deps.host, signal);
      await takeDownRootfs(row.id, deps.host);
    },
    signal,
  );
}

/** A run has begun, and its row says by now that it must not. */
export function movedOn(name: string): CtlError {
  return new CtlError("ABORTED", {
    reason: "CONTAINER_CHANGED",
    what: `start container ${name}`,
    why: "it was removed or started by somebody else meanwhile",
    fix: "look with ctl ps -a and try again",
  });
}
