import {
  ConnectContainerRequest,
  type ConnectContainerResponse,
  DisconnectContainerRequest,
  type DisconnectContainerResponse,
} from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../../../services/kit/errors.ts";
import type { Clients } from "../../clients.ts";
import type { GatewayDeps } from "../../deps.ts";
import { newOperationId, runOperation } from "../operation.ts";
import { type ConnectState, connectKind } from "./connect.ts";
import { disconnectKind } from "./disconnect.ts";

/** Serves one `ConnectContainer`. */
export async function connectContainer(
  request: ConnectContainerRequest,
  { clients, operations }: Pick<GatewayDeps, "clients" | "operations">,
  signal: AbortSignal,
): Promise<ConnectContainerResponse> {
  const subject = await idOf(request.ref, clients, signal);
  const state: ConnectState = { clients, operation: newOperationId(), subject, request };
  const bytes = Buffer.from(ConnectContainerRequest.encode(request).finish());
  const { connected } = await runOperation(connectKind, state, bytes, operations, signal);
  return { id: subject, warnings: connected?.warnings ?? [] };
}

/** Serves one `DisconnectContainer`. With force what a container left on a network that is itself gone goes too. */
export async function disconnectContainer(
  request: DisconnectContainerRequest,
  { clients, operations }: Pick<GatewayDeps, "clients" | "operations">,
  signal: AbortSignal,
): Promise<DisconnectContainerResponse> {
  try {
    const subject = await idOf(request.ref, clients, signal);
    const state = { clients, operation: newOperationId(), subject, request };
    const bytes = Buffer.from(DisconnectContainerRequest.encode(request).finish());
    await runOperation(disconnectKind, state, bytes, operations, signal);
    return { id: subject };
  } catch (error) {
    if (!request.force || !isCtlError(error, "NOT_FOUND") || error.reason !== "CONTAINER_NOT_FOUND") throw error;
    const { network } = await clients.networks.inspectNetwork({ ref: request.network }, { signal });
    const left = network?.endpoints.find(({ holder, holderName }) => isCalled(request.ref, holder, holderName));
    if (left === undefined) throw error;
    await clients.networks.disconnect({ holder: left.holder, network: request.network }, { signal });
    return { id: left.holder };
  }
}

function isCalled(ref: string, holder: string, holderName: string): boolean {
  return holderName === ref.replace(/^\//, "") || (/^[0-9a-f]{4,64}$/.test(ref) && holder.startsWith(ref));
}

async function idOf(ref: string, clients: Clients, signal: AbortSignal): Promise<string> {
  const { container } = await clients.containers.inspectContainer({ ref, withSize: false }, { signal });
  return container?.id ?? ref;
}
