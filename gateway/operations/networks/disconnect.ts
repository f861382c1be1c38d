import type { DisconnectContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import type { DisconnectResponse } from "#proto/ctl/networks/v1/networks.ts";
import { CtlError, isCtlError } from "../../../services/kit/errors.ts";
import type { Clients } from "../../clients.ts";
import type { OperationKind, OperationState, Step } from "../operation.ts";

export interface DisconnectState extends OperationState {
  readonly clients: Clients;
  readonly request: DisconnectContainerRequest;
  network?: { readonly id: string; readonly name: string };
  left?: DisconnectResponse;
}

/** By what the container asks for, which is the last thing that changes: so it can be looked at again after a crash. */
const checkConnected: Step<DisconnectState> = {
  name: "containers.inspect",
  do: async (state, signal) => {
    const { clients, subject, request } = state;
    const network = await networkOf(request, clients, signal);
    const { container } = await clients.containers.inspectContainer({ ref: subject, withSize: false }, { signal });
    const spec = container?.spec;
    const asked = spec === undefined || spec.endpoints.length > 0 ? (spec?.endpoints ?? []) : [{ network: "bridge" }];
    const isAsked = asked.some(({ network: one }) => {
      const name = one === "" || one === "default" ? "bridge" : one;
      return name === network.name || (/^[0-9a-f]+$/.test(name) && network.id.startsWith(name));
    });
    const isHeld = container?.endpoints.some(({ networkId }) => networkId === network.id) === true;
    if (!isAsked && !isHeld) throw notConnected(container?.name ?? subject.slice(0, 12), network.name);
    if (network.name === "host") throw sharesHost(container?.name ?? subject.slice(0, 12));
    state.network = network;
  },
};

const disconnectNetwork: Step<DisconnectState> = {
  name: "networks.disconnect",
  do: async (state, signal) => {
    const { clients, subject, network, request } = state;
    const ref = network === undefined || network.id === "" ? request.network : network.id;
    state.left = await clients.networks.disconnect({ holder: subject, network: ref }, { signal });
  },
};

const recordDisconnection: Step<DisconnectState> = {
  name: "containers.changeNetworks",
  do: async ({ clients, subject, network, left }, signal) => {
    if (network === undefined || left === undefined) return;
    const { isHeld, endpoints, ports } = left;
    await clients.containers.changeNetworks(
      {
        ref: subject,
        networkId: network.id,
        networkName: network.name,
        connected: undefined,
        isHeld,
        endpoints,
        ports,
      },
      { signal },
    );
  },
};

/** Like a removal: begun, it is only ever finished. */
export const disconnectKind: OperationKind<DisconnectState> = {
  name: "disconnect",
  isOneWay: true,
  plan: [checkConnected, disconnectNetwork, recordDisconnection],
};

/** With force one that is gone is what the container may still ask for, by its name. */
async function networkOf({ network: ref, force }: DisconnectContainerRequest, clients: Clients, signal: AbortSignal) {
  try {
    const { network } = await clients.networks.inspectNetwork({ ref }, { signal });
    return { id: network?.id ?? "", name: network?.name ?? ref };
  } catch (error) {
    if (!force || !isCtlError(error, "NOT_FOUND")) throw error;
    return { id: "", name: ref };
  }
}

function notConnected(container: string, network: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NETWORK_NOT_CONNECTED",
    what: `disconnect container "${container}" from network "${network}"`,
    why: `container ${container} is not connected to network ${network}`,
    fix: `ctl inspect ${container} shows the networks that it is on`,
  });
}

function sharesHost(container: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what: `disconnect container "${container}" from the network "host"`,
    why: "a container with the host's network can be neither connected to another network nor disconnected from it",
    fix: "create the container on another network",
  });
}
