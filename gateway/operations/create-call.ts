import { type CreateContainerRequest, type CreateContainerResponse, RunOpen } from "#proto/ctl/gateway/v1/gateway.ts";
import { AsyncQueue } from "../../services/kit/async-queue.ts";
import type { CallContext } from "../../services/kit/grpc/handlers.ts";
import type { GatewayDeps } from "../deps.ts";
import { createKind } from "./create.ts";
import { newOperationId, runOperation } from "./operation.ts";
import { pullChoice } from "./run.ts";
import { newContainerId, startState } from "./states.ts";

/** Serves one `CreateContainer`: pull progress, then the container's id. */
export async function* createContainer(
  { spec, pull, auth }: CreateContainerRequest,
  { clients, operations }: GatewayDeps,
  { signal, operation }: CallContext,
): AsyncGenerator<CreateContainerResponse> {
  const answers = new AsyncQueue<CreateContainerResponse>();
  const state = startState(clients, {
    operation: operation === "" ? newOperationId() : operation,
    subject: newContainerId(),
    spec,
    pull: pullChoice(pull),
    auth,
    onPull: (value) => answers.push({ event: { $case: "pull", value } }),
  });
  const request = Buffer.from(RunOpen.encode({ spec, pull, auth: undefined, isForeground: false }).finish());
  const work = runOperation(createKind, state, request, operations, signal).then(
    ({ subject, name = "", warnings }) => {
      answers.push({ event: { $case: "created", value: { id: subject, name, warnings: [...warnings] } } });
      answers.end();
    },
    (error: unknown) => answers.fail(error),
  );
  yield* answers;
  await work;
}
