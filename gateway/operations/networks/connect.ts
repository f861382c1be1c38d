import { ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import type { ConnectContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { type ConnectResponse, EndpointRequest } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import type { Clients } from "../../clients.ts";
import type { OperationKind, OperationState, Step } from "../operation.ts";
import { portsOf } from "../start-steps.ts";

export interface ConnectState extends OperationState {
  readonly clients: Clients;
  readonly request: ConnectContainerRequest;
  connected?: ConnectResponse;
}

/** Refused for who runs on that network already; for one that does not run, that is as it was asked for. */
const connectNetwork: Step<ConnectState> = {
  name: "networks.connect",
  do: async (state, signal) => {
    const { clients, operation, subject, request } = state;
    const { container } = await clients.containers.inspectContainer({ ref: subject, withSize: false }, { signal });
    if (container?.spec === undefined || container.state === ContainerState.REMOVING) throw goes(state);
    const { spec, name, imageConfig } = container;
    const asked = spec.endpoints.map(({ network }) => network);
    if (asked.some((network) => network.startsWith("container:"))) throw shares(state, name);
    const isOffAll = spec.networkMode !== "" && spec.networkMode !== "none";
    const connected = await clients.networks.connect(
      {
        holder: { holder: subject, operation },
        endpoint: request.endpoint,
        ports: portsOf(spec, imageConfig?.exposedPorts ?? []),
        beside: asked.filter((network) => !(isOffAll && network === "none")),
      },
      { signal },
    );
    if (connected.isActive && connected.connectedBy !== operation) throw connectedAlready(name, connected.networkName);
    state.connected = connected;
  },
  undo: async ({ clients, operation, subject }, signal) => {
    await clients.networks.undoConnect({ holder: { holder: subject, operation } }, { signal });
  },
};

const recordConnection: Step<ConnectState> = {
  name: "containers.changeNetworks",
  do: async ({ clients, subject, request, connected }, signal) => {
    if (connected === undefined) return;
    const { networkId, networkName, endpoints, ports } = connected;
    await clients.containers.changeNetworks(
      {
        ...{ ref: subject, networkId, networkName, endpoints, ports },
        connected: request.endpoint ?? EndpointRequest.fromPartial({}),
        isHeld: endpoints.length > 0,
      },
      { signal },
    );
  },
};

/** With the network's step the container is on it, whatever comes: then it is only ever recorded. */
export const connectKind: OperationKind<ConnectState> = {
  name: "connect",
  isOneWay: true,
  plan: [connectNetwork, recordConnection],
};

function whatOf({ subject, request }: ConnectState): string {
  return `connect container ${subject.slice(0, 12)} to network "${request.endpoint?.network ?? ""}"`;
}

function goes(state: ConnectState): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_BEING_REMOVED",
    what: whatOf(state),
    why: "it is being removed",
  });
}

function shares(state: ConnectState, name: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what: whatOf(state),
    why: `"${name}" shares another container's network, and cannot be connected to one of its own`,
    fix: "connect that other container",
  });
}

function connectedAlready(name: string, network: string): CtlError {
  return new CtlError("ALREADY_EXISTS", {
    reason: "NETWORK_ALREADY_CONNECTED",
    what: `connect container "${name}" to network "${network}"`,
    why: `endpoint with name ${name} already exists in network ${network}`,
    fix: `disconnect it first to connect it otherwise (ctl network disconnect ${network} ${name})`,
  });
}
