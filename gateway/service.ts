import { type GatewayService, RemoveContainerRequest, StartContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../services/kit/errors.ts";
import { parseEventFilters } from "../services/kit/event-filters.ts";
import type { Handlers } from "../services/kit/grpc/handlers.ts";
import type { Clients } from "./clients.ts";
import type { GatewayDeps } from "./deps.ts";
import { mergeEvents } from "./events/merge.ts";
import { backupVolume } from "./operations/backup.ts";
import { createContainer } from "./operations/create-call.ts";
import { connectContainer, disconnectContainer } from "./operations/networks/calls.ts";
import { gatewayStopping, runOperation } from "./operations/operation.ts";
import { pruneContainers } from "./operations/prune.ts";
import { removeKind } from "./operations/remove.ts";
import { runContainer } from "./operations/run-call.ts";
import { startKind } from "./operations/start.ts";
import { removeState, startState } from "./operations/states.ts";
import { info } from "./system/info.ts";
import { version } from "./system/version.ts";
import { updatePorts } from "./update-ports.ts";

/** The gRPC surface: what crosses services, and the daemon as a whole. */
export function gatewayHandlers(deps: GatewayDeps): Handlers<typeof GatewayService> {
  const { clients, operations } = deps;
  return {
    run: (requests, call) => runContainer(requests, deps, call),
    createContainer: (request, call) => createContainer(request, deps, call),
    startContainer: async ({ ref }, { signal }) => startContainer(ref, deps, signal),
    removeContainer: async (request, { signal }) => {
      const subject = await idOf(request.ref, clients, signal);
      const state = removeState(clients, { subject, force: request.force, volumes: request.volumes });
      const bytes = Buffer.from(RemoveContainerRequest.encode(request).finish());
      await runOperation(removeKind, state, bytes, operations, signal);
      return { id: subject };
    },
    restartContainer: async (request, { signal }) => {
      try {
        return await clients.containers.restartContainer(request, { signal, timeoutMs: RESTART_TIMEOUT_MS });
      } catch (error) {
        if (!isCtlError(error, "FAILED_PRECONDITION") || error.reason !== "CONTAINER_NOT_RUNNING") throw error;
        return { id: (await startContainer(request.ref, deps, signal)).id };
      }
    },
    renameContainer: async ({ ref, name }, { signal }) => {
      const { id } = await clients.containers.renameContainer({ ref, name }, { signal });
      await clients.networks.renameHolder({ holder: id, name: name.replace(/^\//, "") }, { signal });
      return { id };
    },
    connectContainer: (request, { signal }) => connectContainer(request, deps, signal),
    disconnectContainer: (request, { signal }) => disconnectContainer(request, deps, signal),
    updatePorts: (request, { signal }) => updatePorts(request, clients, signal),
    backupVolume: (request, { signal }) => backupVolume(request, deps, signal),
    pruneContainers: (request, { signal }) => pruneContainers(request, deps, signal),
    events: async function* ({ since, until, filters, cursor }, { signal }) {
      parseEventFilters(filters); // before services are asked, which would be asked again where one refuses
      const ends = AbortSignal.any([signal, operations.stopping]);
      for await (const event of mergeEvents(clients, { since, until, cursor, filters }, ends)) yield { event };
      if (operations.stopping.aborted) throw gatewayStopping("follow events");
    },
    info: (_request, { signal }) => info(deps.info, signal),
    version: () => version(deps.db),
  };
}

/** A stop may take as long as the container's own timeout says. */
const RESTART_TIMEOUT_MS = 3_600_000;

export async function startContainer(ref: string, { clients, operations }: GatewayDeps, signal: AbortSignal) {
  const subject = await idOf(ref, clients, signal);
  const state = startState(clients, { subject, spec: undefined, pull: "never" });
  const request = Buffer.from(StartContainerRequest.encode({ ref: subject }).finish());
  const { changed = true, warnings } = await runOperation(startKind, state, request, operations, signal);
  return { id: subject, changed, warnings };
}

async function idOf(ref: string, clients: Clients, signal: AbortSignal): Promise<string> {
  const { container } = await clients.containers.inspectContainer({ ref, withSize: false }, { signal });
  return container?.id ?? ref;
}
