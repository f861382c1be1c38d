import type { Database } from "../kit/database.ts";
import { within } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { setFrozen } from "./cgroups/freeze.ts";
import { containerCgroups } from "./cgroups/placement.ts";
import { containerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { notRunning } from "./kill.ts";
import type { ContainerId } from "./spec/spec.ts";
import { type ContainerRow, moveState } from "./store/containers.ts";

const FREEZE_TIMEOUT_MS = 10_000;

/** Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING, CONTAINER_PAUSED. */
export async function pauseContainer(
  db: Database,
  host: ContainerHost,
  reference: string,
  signal: AbortSignal,
): Promise<string> {
  const row = await findContainer(db, reference);
  if (row.state === "paused") throw alreadyPaused(row.name);
  if (row.state !== "running") throw notRunning(row.name);
  await freeze(row, host, true, signal);
  await move(db, row, "running", "paused", "pause");
  return row.id;
}

/** Throws FAILED_PRECONDITION CONTAINER_NOT_PAUSED. */
export async function unpauseContainer(
  db: Database,
  host: ContainerHost,
  reference: string,
  signal: AbortSignal,
): Promise<string> {
  const row = await findContainer(db, reference);
  if (row.state !== "paused") throw notPaused(row.name);
  await resume(db, host, row, signal);
  return row.id;
}

/** Lets a paused one go on: also before a stop, since a frozen process takes no signal. */
export async function resume(db: Database, host: ContainerHost, row: ContainerRow, signal: AbortSignal): Promise<void> {
  await freeze(row, host, false, signal);
  await move(db, row, "paused", "running", "unpause");
}

async function freeze(row: ContainerRow, host: ContainerHost, frozen: boolean, signal: AbortSignal): Promise<void> {
  const { payload } = containerCgroups(host.cgroupParent, row.id as ContainerId, row.spec.cgroupParent);
  const ends = within(signal, FREEZE_TIMEOUT_MS, `${frozen ? "freeze" : "thaw"} container ${row.name}`);
  await setFrozen(host.layout, payload, frozen, ends);
}

async function move(
  db: Database,
  row: ContainerRow,
  from: "running" | "paused",
  to: "running" | "paused",
  action: string,
): Promise<void> {
  await db.transaction(async (tx) => {
    if (await moveState(tx, row.id, [from], to)) await recordEvent(tx, db.schema, containerEvent(action, row));
  });
}

function alreadyPaused(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_PAUSED",
    what: `pause container ${name}`,
    why: "it is paused already",
  });
}

function notPaused(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_PAUSED",
    what: `unpause container ${name}`,
    why: "it is not paused",
  });
}
