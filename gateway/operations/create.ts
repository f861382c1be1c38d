import type { OperationKind, Step } from "./operation.ts";
import {
  acquireImage,
  acquireVolumes,
  copyUp,
  createContainer,
  prepareContainer,
  type StartState,
} from "./start-steps.ts";

/** Only where there are mounts: what is copied into one of them before the first start must find it. */
const prepareMounts: Step<StartState> = {
  ...prepareContainer,
  do: async (state, signal) => {
    const { clients, operation, subject, layers = [], layersDirectory = "", mounts = [] } = state;
    if (mounts.length === 0) return;
    const request = { ref: subject, operation, layers: [...layers], layersDirectory, mounts: [...mounts] };
    state.rootfsPath = (await clients.containers.prepareContainer(request, { signal })).rootfsPath;
  },
};

/** A container that does not run yet: its image leased, its name reserved, its volumes made and filled. */
export const createKind: OperationKind<StartState> = {
  name: "create",
  plan: [acquireImage, createContainer, acquireVolumes, prepareMounts, copyUp],
};
