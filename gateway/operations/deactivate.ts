import { ContainerState, DueAction } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { Clients } from "../clients.ts";
import type { OperationKind, OperationState, Step } from "./operation.ts";

export interface DeactivateState extends OperationState {
  readonly clients: Clients;
  /** The run whose end asks for it. */
  readonly run: number;
}

/** As an operation it excludes a start of the same container: nobody takes the sandbox of one that runs again. */
const checkStillStopped: Step<DeactivateState> = {
  name: "containers.inspect",
  do: async ({ clients, subject, run }, signal) => {
    const { container } = await clients.containers.inspectContainer({ ref: subject, withSize: false }, { signal });
    const isStopped = container?.state === ContainerState.EXITED || container?.state === ContainerState.CREATED;
    if (container?.run === run && isStopped) return;
    throw new CtlError("ABORTED", {
      reason: "CONTAINER_RUNS_AGAIN",
      what: `give back the sandbox of container ${subject.slice(0, 12)}`,
      why: "it was started again",
    });
  },
};

const deactivateNetworks: Step<DeactivateState> = {
  name: "networks.deactivate",
  do: async ({ clients, subject }, signal) => {
    await clients.networks.deactivate({ holder: subject }, { signal });
  },
};

const clearDue: Step<DeactivateState> = {
  name: "containers.clearDue",
  do: async ({ clients, subject, run }, signal) => {
    await clients.containers.clearDue({ ref: subject, action: DueAction.DEACTIVATE, run }, { signal });
  },
};

export const deactivateKind: OperationKind<DeactivateState> = {
  name: "deactivate",
  plan: [checkStillStopped, deactivateNetworks, clearDue],
};
