import { ClearDueRequest } from "#proto/ctl/containers/v1/containers.ts";
import {
  ConnectContainerRequest,
  DisconnectContainerRequest,
  RemoveContainerRequest,
  RunOpen,
} from "#proto/ctl/gateway/v1/gateway.ts";
import { abortError, sleep } from "../../services/kit/deadlines.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { inParallel } from "../../services/kit/parallel.ts";
import { attribute } from "../../services/kit/telemetry/attributes.ts";
import type { Clients } from "../clients.ts";
import { adoptOperations, finishOperation, type OperationRow, trimOperations, unfinishedOperations } from "../store.ts";
import { createKind } from "./create.ts";
import { deactivateKind } from "./deactivate.ts";
import { connectKind } from "./networks/connect.ts";
import { disconnectKind } from "./networks/disconnect.ts";
import { type Operations, resumeOperation } from "./operation.ts";
import { ownerLock } from "./owner.ts";
import { removeKind } from "./remove.ts";
import { pullChoice, runKind } from "./run.ts";
import { abandonedStandStill, standStillKind } from "./stand-still.ts";
import { startKind } from "./start.ts";
import { removeState, runState, startState } from "./states.ts";

const LOOK_AGAIN_MS = 1_000;
const RETRY_AFTER_MS = 5_000;

/**
 * Takes to their end the operations that nobody works on: those of gateways that died (whoever can take a dead one's
 * advisory lock adopts its rows) and our own that could not be ended at their time. Looks every second until the signal.
 */
export async function adoptForEver(clients: Clients, operations: Operations, signal: AbortSignal): Promise<void> {
  const retryAt = new Map<string, number>();
  while (!signal.aborted) {
    await adoptOnce(clients, operations, retryAt, signal).catch((error: unknown) => {
      if (!signal.aborted) operations.log.debug({ err: error }, "operations not looked through");
    });
    await sleep(LOOK_AGAIN_MS, signal).catch(() => {});
  }
}

async function adoptOnce(
  clients: Clients,
  operations: Operations,
  retryAt: Map<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const rows = (await unfinishedOperations(operations.db.shared)).filter((row) => !operations.active.has(row.id));
  for (const owner of new Set(rows.map((row) => row.owner))) {
    if (owner !== operations.owner) await adoptFrom(owner, operations);
  }
  const mine = (await unfinishedOperations(operations.db.shared)).filter(
    (row) =>
      row.owner === operations.owner &&
      !operations.active.has(row.id) &&
      (retryAt.get(row.id) ?? 0) <= performance.now(),
  );
  const resume = async (row: OperationRow, s: AbortSignal) => {
    retryAt.set(row.id, performance.now() + RETRY_AFTER_MS);
    await resumeRow(row, clients, operations, s);
  };
  await inParallel(mine, resume, signal, 4);
  if (rows.length === 0) retryAt.clear();
  await trimOperations(operations.db.shared);
}

/** The lock is free exactly when that gateway's session is gone. */
async function adoptFrom(owner: string, { db, owner: me, log }: Operations): Promise<void> {
  const session = await db.session();
  try {
    const { rows } = await session.query("select pg_try_advisory_lock(hashtextextended($1, 0)) as free", [
      ownerLock(owner),
    ]);
    if (rows[0]?.free !== true) return;
    await adoptOperations(db, owner, me);
    log.warn({ "ctl.owner": owner }, "operations adopted from a gateway that is gone");
  } finally {
    await session.end();
  }
}

async function resumeRow(
  row: OperationRow,
  clients: Clients,
  operations: Operations,
  signal: AbortSignal,
): Promise<void> {
  const fields = {
    [attribute.operationId]: row.id,
    [attribute.operationKind]: row.kind,
    [attribute.containerId]: row.subject,
  };
  try {
    await resumeKind(row, clients, operations, signal);
    operations.log.warn({ ...fields, direction: row.direction }, "operation taken to its end");
  } catch (error) {
    if (!signal.aborted) operations.log.warn({ ...fields, err: error }, "operation ended with an error");
  }
}

async function resumeKind(
  row: OperationRow,
  clients: Clients,
  operations: Operations,
  signal: AbortSignal,
): Promise<void> {
  const { id: operation, subject, direction } = row;
  if (row.kind === "remove") {
    const { force, volumes } = RemoveContainerRequest.decode(row.request);
    const state = removeState(clients, { operation, subject, force, volumes });
    return resumeOperation(removeKind, state, direction, operations, signal);
  }
  if (row.kind === "start") {
    const state = startState(clients, { operation, subject, spec: undefined, pull: "never" });
    return resumeOperation(startKind, state, direction, operations, signal);
  }
  if (row.kind === "deactivate") {
    const { run } = ClearDueRequest.decode(row.request);
    return resumeOperation(deactivateKind, { clients, operation, subject, run }, direction, operations, signal);
  }
  if (row.kind === "connect") {
    const state = { clients, operation, subject, request: ConnectContainerRequest.decode(row.request) };
    return resumeOperation(connectKind, state, direction, operations, signal);
  }
  if (row.kind === "disconnect") {
    const state = { clients, operation, subject, request: DisconnectContainerRequest.decode(row.request) };
    return resumeOperation(disconnectKind, state, direction, operations, signal);
  }
  if (row.kind === standStillKind.name) {
    const state = abandonedStandStill(clients, operation, subject);
    return resumeOperation(standStillKind, state, direction, operations, signal);
  }
  const { spec, pull, auth, isForeground } = RunOpen.decode(row.request);
  const wish = { operation, subject, spec, pull: pullChoice(pull), auth };
  if (row.kind === "create")
    return resumeOperation(createKind, startState(clients, wish), direction, operations, signal);
  if (row.kind === "run") {
    const attached = async (s: AbortSignal) => {
      if (isForeground && !(await wasStarted(subject, clients, s))) throw clientGone(s);
    };
    const state = runState(clients, { ...wish, onCreated: () => {}, attached });
    return resumeOperation(runKind, state, direction, operations, signal);
  }
  operations.log.error({ [attribute.operationKind]: row.kind }, "operation of an unknown kind; a newer ctld made it");
  if (direction === "undo") await finishOperation(operations.db, operation);
}

/** Its client saw it start, and comes back for the rest of its output. */
async function wasStarted(subject: string, clients: Clients, signal: AbortSignal): Promise<boolean> {
  const { container } = await clients.containers.inspectContainer({ ref: subject, withSize: false }, { signal });
  return (container?.run ?? 0) > 0;
}

/** A foreground run whose client went away with the gateway has nobody to run for. */
function clientGone(signal: AbortSignal): CtlError {
  if (signal.aborted) return abortError(signal, "run the container");
  return new CtlError("CANCELLED", {
    reason: "CLIENT_GONE",
    what: "run the container in the foreground",
    why: "the daemon restarted before it was started, and its client is gone",
    fix: "run it again",
  });
}
