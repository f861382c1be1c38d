import { RunOpen, type RunRequest, type RunResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { AsyncQueue } from "../../services/kit/async-queue.ts";
import { raceSignal, sleep } from "../../services/kit/deadlines.ts";
import { CtlError, isCtlError } from "../../services/kit/errors.ts";
import type { CallContext } from "../../services/kit/grpc/handlers.ts";
import type { GatewayDeps } from "../deps.ts";
import { findOperation, type OperationRow } from "../store.ts";
import { newOperationId, runOperation } from "./operation.ts";
import { pullChoice, type RunState, runKind } from "./run.ts";
import { newContainerId, runState } from "./states.ts";

/**
 * Serves one `Run`: its progress as it comes. A client that sends the operation id of a run that it lost sight of (the
 * daemon restarted meanwhile) gets that run's outcome, not a second container.
 */
export async function* runContainer(
  requests: AsyncIterable<RunRequest>,
  deps: GatewayDeps,
  call: CallContext,
): AsyncGenerator<RunResponse> {
  const client = clientOf(requests);
  const open = await client.open;
  const earlier = call.operation === "" ? undefined : await findOperation(deps.operations.db, call.operation);
  if (earlier !== undefined) {
    yield* outcomeOf(earlier, deps, call.signal);
    return;
  }
  const answers = new AsyncQueue<RunResponse>();
  const work = run(open, client.attached, answers, deps, call).then(
    () => answers.end(),
    (error: unknown) => answers.fail(error),
  );
  yield* answers;
  await work;
}

async function run(
  open: RunOpen,
  attached: Promise<void>,
  answers: AsyncQueue<RunResponse>,
  { clients, operations, exits }: GatewayDeps,
  { signal, operation }: CallContext,
): Promise<void> {
  const { spec, pull, auth, isForeground } = open;
  const subject = newContainerId();
  const isAwaited = isForeground && spec?.autoRemove === true;
  using _ = isAwaited ? exits.claim(subject) : undefined;
  const state = runState(clients, {
    operation: operation === "" ? newOperationId() : operation,
    subject,
    spec,
    pull: pullChoice(pull),
    auth,
    onPull: (value) => answers.push({ event: { $case: "pull", value } }),
    onCreated: (created) => answers.push({ event: { $case: "created", value: createdMessage(created) } }),
    attached: (s) => (isForeground ? raceSignal(attached, s, "wait for the client to attach") : Promise.resolve()),
  });
  const request = Buffer.from(RunOpen.encode({ ...open, auth: undefined }).finish()); // no secrets in rows
  const { warnings } = await runOperation(runKind, state, request, operations, signal);
  answers.push({ event: { $case: "started", value: { id: subject, warnings } } });
  if (!isAwaited) return;
  await exits.removed(subject, signal);
  answers.push({ event: { $case: "removed", value: { id: subject } } });
}

function createdMessage(state: RunState) {
  return { id: state.subject, name: state.name ?? "", warnings: [...state.warnings] };
}

function ignoreNotFound(error: unknown): void {
  if (!isCtlError(error, "NOT_FOUND")) throw error;
}

/** The client's first message, and the moment when it says that it is attached. */
function clientOf(requests: AsyncIterable<RunRequest>) {
  const open = Promise.withResolvers<RunOpen>();
  const attached = Promise.withResolvers<void>();
  attached.promise.catch(() => {}); // nobody waits for it in the background
  const read = async (): Promise<void> => {
    for await (const { input } of requests) {
      if (input?.$case === "open") open.resolve(input.value);
      else if (input?.$case === "attached") attached.resolve();
      else throw badRequest("a message without content");
    }
    throw badRequest("the client ended its side too early");
  };
  read().catch((error: unknown) => {
    open.reject(error);
    attached.reject(error);
  });
  return { open: open.promise, attached: attached.promise };
}

function badRequest(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "RUN_REQUEST_INVALID", what: "run a container", why });
}

async function* outcomeOf(first: OperationRow, deps: GatewayDeps, signal: AbortSignal): AsyncGenerator<RunResponse> {
  let row: OperationRow | undefined = first;
  while (row !== undefined && row.finished_at === null) {
    await sleep(50, signal);
    row = await findOperation(deps.operations.db, first.id);
  }
  if (row?.error) throw new CtlError(row.error.code, row.error);
  const { container } = await deps.clients.containers
    .inspectContainer({ ref: first.subject, withSize: false }, { signal })
    .catch((error: unknown) => {
      ignoreNotFound(error); // it has ended and is removed: it was started all the same
      return { container: undefined };
    });
  yield { event: { $case: "created", value: { id: first.subject, name: container?.name ?? "", warnings: [] } } };
  yield { event: { $case: "started", value: { id: first.subject, warnings: [] } } };
}
