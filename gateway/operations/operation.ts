import { randomBytes } from "node:crypto";
import type { Database } from "../../services/kit/database.ts";
import { abortError, deadline, sleep } from "../../services/kit/deadlines.ts";
import { asCtlError, CtlError } from "../../services/kit/errors.ts";
import { allOf } from "../../services/kit/parallel.ts";
import { attribute } from "../../services/kit/telemetry/attributes.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";
import { inSpan } from "../../services/kit/telemetry/trace.ts";
import { finishOperation, insertOperation, type RecordedError, turnBack, unfinishedOn } from "../store.ts";

/**
 * One step of an operation. It has no row: it can be done twice, resuming does all of them again, and undoing succeeds
 * also where nothing was done. `do` adds to the state; `undo` never takes what the holder had before.
 */
export interface Step<S> {
  readonly name: string;
  /**
   * Begun, it goes on without its caller, who may have seen by then what it did: `run … | head -1` has its line and is
   * gone, and the container stays, as in Docker.
   */
  readonly outlivesCaller?: boolean;
  do(state: S, signal: AbortSignal): Promise<void>;
  undo?(state: S, signal: AbortSignal): Promise<void>;
}

/** Steps in order; those of an inner list at once. */
export type Plan<S> = readonly (Step<S> | readonly Step<S>[])[];

export interface OperationKind<S> {
  readonly name: string;
  readonly plan: Plan<S>;
  /**
   * After its first step there is no way back: it is only ever finished (a removal). A failure then leaves the row, and
   * the operation is resumed later.
   */
  readonly isOneWay?: boolean;
}

/** What every operation's state holds. */
export interface OperationState {
  /** The idempotency key of every step. */
  readonly operation: string;
  /** The container's id. */
  readonly subject: string;
}

export interface Operations {
  readonly db: Database;
  readonly log: Logger;
  /** The key of the advisory lock that this gateway holds while it lives. */
  readonly owner: string;
  /** Ids of the operations that this process works on. */
  readonly active: Set<string>;
  /** Aborts when the gateway stops: operations are left in the log, not undone. */
  readonly stopping: AbortSignal;
}

const SUBJECT_WAIT_MS = 10_000;
const UNDO_TIMEOUT_MS = 60_000;
/** For a step that its caller no longer bounds. */
const OWN_STEP_TIMEOUT_MS = 60_000;

export function newOperationId(): string {
  return randomBytes(16).toString("hex");
}

/**
 * Runs an operation from its row to its end. When a step fails, or the signal aborts, all steps are undone in reverse
 * and the error is thrown on. Throws ABORTED OPERATION_IN_PROGRESS after 10 s behind another one on the same subject.
 */
export async function runOperation<S extends OperationState>(
  kind: OperationKind<S>,
  state: S,
  request: Buffer,
  operations: Operations,
  signal: AbortSignal,
): Promise<S> {
  const id = state.operation;
  operations.active.add(id);
  try {
    return await inSpan(`operation.${kind.name}`, { attributes: attributesOf(kind.name, state) }, async () => {
      await begin(kind.name, state, request, operations, signal);
      return await carryOn(kind, state, operations, signal);
    });
  } finally {
    operations.active.delete(id);
  }
}

/** Takes an operation whose row is there already to its end: done again from its first step, or undone. */
export async function resumeOperation<S extends OperationState>(
  kind: OperationKind<S>,
  state: S,
  direction: "do" | "undo",
  operations: Operations,
  signal: AbortSignal,
): Promise<void> {
  operations.active.add(state.operation);
  try {
    await inSpan(`operation.${kind.name}`, { attributes: attributesOf(kind.name, state) }, async () => {
      if (direction === "do") await carryOn(kind, state, operations, signal);
      else await undoAll(kind, state, operations);
    });
  } finally {
    operations.active.delete(state.operation);
  }
}

async function begin(
  kind: string,
  state: OperationState,
  request: Buffer,
  operations: Operations,
  signal: AbortSignal,
): Promise<void> {
  const row = { id: state.operation, kind, subject: state.subject, request, owner: operations.owner };
  const ends = AbortSignal.any([signal, deadline(SUBJECT_WAIT_MS, "wait for the other operation")]);
  for (let waitMs = 5; !(await insertOperation(operations.db, row)); waitMs = Math.min(100, waitMs * 2)) {
    if (ends.aborted) throw await inProgress(kind, state, operations, signal);
    await sleep(waitMs, ends).catch(() => {});
  }
}

async function inProgress(
  kind: string,
  { subject }: OperationState,
  { db }: Operations,
  signal: AbortSignal,
): Promise<CtlError> {
  if (signal.aborted) return abortError(signal, `${kind} container ${subject.slice(0, 12)}`);
  const other = await unfinishedOn(db, subject);
  return new CtlError("ABORTED", {
    reason: "OPERATION_IN_PROGRESS",
    what: `${kind} container ${subject.slice(0, 12)}`,
    why: `${other?.kind ?? "another operation"} (operation ${other?.id ?? "unknown"}) is not finished with it`,
    fix: "try again when that has ended",
  });
}

async function carryOn<S extends OperationState>(
  kind: OperationKind<S>,
  state: S,
  operations: Operations,
  signal: AbortSignal,
): Promise<S> {
  let stepsDone = 0;
  const ends = AbortSignal.any([signal, operations.stopping]);
  try {
    for (const entry of kind.plan) {
      const steps = Array.isArray(entry) ? (entry as readonly Step<S>[]) : [entry as Step<S>];
      if (ends.aborted) throw abortError(ends, `${kind.name} the container`);
      const isOnItsOwn = steps.every(({ outlivesCaller }) => outlivesCaller === true);
      await allOf(
        steps.map((step) => (s: AbortSignal) => doStep(step, state, s)),
        isOnItsOwn ? AbortSignal.any([operations.stopping, deadline(OWN_STEP_TIMEOUT_MS, steps[0]?.name ?? "")]) : ends,
      );
      stepsDone++;
    }
  } catch (error) {
    if (operations.stopping.aborted) throw gatewayStopping(`finish ${kind.name}`, error);
    if (kind.isOneWay === true && stepsDone > 0) throw error; // the row stays: it is resumed
    await giveUp(kind, state, asCtlError(error, `${kind.name} the container`), operations);
    throw error;
  }
  await finishOperation(operations.db, state.operation);
  return state;
}

function doStep<S extends OperationState>(step: Step<S>, state: S, signal: AbortSignal): Promise<void> {
  return inSpan(step.name, { attributes: { [attribute.operationStep]: step.name } }, () => step.do(state, signal));
}

async function giveUp<S extends OperationState>(
  kind: OperationKind<S>,
  state: S,
  error: CtlError,
  operations: Operations,
): Promise<void> {
  const { code, reason, what, why, fix } = error;
  const recorded: RecordedError = {
    code,
    reason,
    what,
    why,
    ...(fix === undefined ? {} : { fix }),
  };
  try {
    await turnBack(operations.db, state.operation, recorded);
    await undoAll(kind, state, operations);
  } catch (failure) {
    // the row is still there: it is undone later, by this gateway or another
    operations.log.warn({ ...attributesOf(kind.name, state), err: failure }, "operation not undone yet");
  }
}

async function undoAll<S extends OperationState>(
  kind: OperationKind<S>,
  state: S,
  operations: Operations,
): Promise<void> {
  const signal = deadline(UNDO_TIMEOUT_MS, `undo ${kind.name}`); // never the signal that was just aborted
  for (const entry of kind.plan.toReversed()) {
    const steps = Array.isArray(entry) ? (entry as readonly Step<S>[]) : [entry as Step<S>];
    await allOf(
      steps.map((step) => (s: AbortSignal) => undoStep(step, state, s)),
      signal,
    );
  }
  await finishOperation(operations.db, state.operation);
}

async function undoStep<S extends OperationState>(step: Step<S>, state: S, signal: AbortSignal): Promise<void> {
  const undo = step.undo?.bind(step);
  if (undo === undefined) return;
  await inSpan(`${step.name}.undo`, { attributes: { [attribute.operationStep]: step.name } }, () =>
    undo(state, signal),
  );
}

/** What calls that last end with when the gateway stops. */
export function gatewayStopping(what: string, cause?: unknown): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "GATEWAY_STOPPING",
    what,
    why: "the daemon is stopping; what it has begun is in its log and goes on when it is back",
    fix: "look with ctl ps when the daemon is back",
    cause,
  });
}

function attributesOf(kind: string, state: OperationState): Record<string, string> {
  return {
    [attribute.operationKind]: kind,
    [attribute.operationId]: state.operation,
    [attribute.containerId]: state.subject,
  };
}
