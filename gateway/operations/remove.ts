import type { Clients } from "../clients.ts";
import type { OperationKind, OperationState, Step } from "./operation.ts";

export interface RemoveState extends OperationState {
  readonly clients: Clients;
  readonly force: boolean;
  /** Also the anonymous volumes that only this container refers to. */
  readonly volumes: boolean;
  /** False: it has no volumes to release. */
  readonly hasMounts?: boolean;
  /** Its name, addresses and ports are free for everybody. */
  readonly onReleased?: () => void;
}

/** Out of sight, its name free, and its taking down begun. Refused while it runs, without force. */
const removeContainer: Step<RemoveState> = {
  name: "containers.remove",
  do: async ({ clients, operation, subject, force }, signal) => {
    await clients.containers.removeContainer({ ref: subject, operation, force }, { signal });
  },
};

const releaseNetworks: Step<RemoveState> = {
  name: "networks.release",
  do: async ({ clients, subject }, signal) => {
    await clients.networks.release({ holder: subject }, { signal });
  },
};

const releaseVolumes: Step<RemoveState> = {
  name: "volumes.release",
  do: async ({ clients, subject, volumes, hasMounts = true }, signal) => {
    if (hasMounts) await clients.volumes.release({ holder: subject, removeAnonymous: volumes }, { signal });
  },
};

const releaseImage: Step<RemoveState> = {
  name: "images.release",
  do: async ({ clients, subject }, signal) => {
    await clients.layers.release({ holder: subject }, { signal });
  },
};

const tell: Step<RemoveState> = {
  name: "client.answer",
  do: async ({ onReleased }) => onReleased?.(),
};

const forgetContainer: Step<RemoveState> = {
  name: "containers.forget",
  do: async ({ clients, subject }, signal) => {
    await clients.containers.forgetContainer({ ref: subject }, { signal });
  },
};

export const removeKind: OperationKind<RemoveState> = {
  name: "remove",
  isOneWay: true,
  plan: [removeContainer, [releaseNetworks, releaseVolumes, releaseImage], forgetContainer],
};

/** What is left to do for one that went out of sight by its end (`--rm`). Resumed it is a removal like any other. */
export const afterExitKind: OperationKind<RemoveState> = {
  name: "remove",
  isOneWay: true,
  plan: [[releaseNetworks, releaseVolumes, releaseImage], tell, forgetContainer],
};
