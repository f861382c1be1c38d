import type { FastifyInstance } from "fastify";
import { ContainerState, WaitCondition, type WaitContainerResponse } from "#proto/ctl/containers/v1/containers.ts";
import { backoffMs } from "../../../services/kit/backoff.ts";
import { sleep } from "../../../services/kit/deadlines.ts";
import { isCtlError } from "../../../services/kit/errors.ts";
import { jsonLine, streamed } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { invalidRequest, text } from "../query.ts";
import { type ById, inspectContainer } from "./containers.ts";

const CONDITIONS: Readonly<Record<string, WaitCondition>> = {
  "": WaitCondition.NOT_RUNNING,
  "not-running": WaitCondition.NOT_RUNNING,
  "next-exit": WaitCondition.NEXT_EXIT,
  removed: WaitCondition.REMOVED,
};

/** Since 1.30 the headers go at once, so that a client knows that its wait is in place before it starts the container. */
const FLUSHING_API = 30;

export function waitRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.post<ById>("/containers/:id/wait", async (request, reply) => {
    const name = text(request.query, "condition");
    const condition = CONDITIONS[name];
    if (condition === undefined) throw invalidRequest(`invalid condition: "${name}"`);
    const { id } = await inspectContainer(request.params.id, deps, request.call);
    await streamed(reply, answer(id, condition, deps, request.call), {
      contentType: "application/json",
      isFlushedAtOnce: request.apiVersion.minor >= FLUSHING_API,
      failure: (message) => jsonLine({ StatusCode: -1, Error: { Message: message } }),
    });
    return reply;
  });
}

async function* answer(
  ref: string,
  condition: WaitCondition,
  deps: DockerApiDeps,
  call: ApiCall,
): AsyncGenerator<Uint8Array> {
  const { exitCode, error } = await outlasting(ref, condition, deps, call);
  yield jsonLine({ StatusCode: exitCode, ...(error === "" ? {} : { Error: { Message: error } }) });
}

/** A wait goes on over a restart of the service: what happened in the gap counts. */
async function outlasting(
  ref: string,
  condition: WaitCondition,
  deps: DockerApiDeps,
  call: ApiCall,
): Promise<WaitContainerResponse> {
  let wanted = condition;
  for (let attempt = 0; ; attempt++) {
    try {
      return await deps.containers.waitContainer(
        { ref, condition: wanted },
        { ...call, timeoutMs: Number.POSITIVE_INFINITY },
      );
    } catch (error) {
      if (!isCtlError(error, "UNAVAILABLE")) throw error;
      await sleep(backoffMs(attempt, 50, 1_000), call.signal);
      wanted = await afterGap(ref, wanted, deps, call);
    }
  }
}

/** Its next exit may have been in the gap, unless it was never started. */
async function afterGap(
  ref: string,
  condition: WaitCondition,
  deps: DockerApiDeps,
  call: ApiCall,
): Promise<WaitCondition> {
  if (condition !== WaitCondition.NEXT_EXIT) return condition;
  try {
    const { state } = await inspectContainer(ref, deps, call);
    return state === ContainerState.CREATED ? condition : WaitCondition.NOT_RUNNING;
  } catch (error) {
    if (isCtlError(error, "UNAVAILABLE", "DEADLINE_EXCEEDED")) return condition;
    throw error;
  }
}
