import { ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { OperationKind, Step } from "./operation.ts";
import {
  acquireImage,
  acquireVolumes,
  copyUp,
  prepareContainer,
  reacquireNetworks,
  type StartState,
  startContainer,
} from "./start-steps.ts";

/** The wish is in the container's row. */
const readContainer: Step<StartState> = {
  name: "containers.inspect",
  do: async (state, signal) => {
    const { container } = await state.clients.containers.inspectContainer(
      { ref: state.subject, withSize: false },
      { signal },
    );
    if (container?.spec === undefined) throw gone(state.subject);
    if (container.state === ContainerState.PAUSED) throw paused(container.name);
    state.spec = { ...container.spec, image: container.imageId };
    state.name = container.name;
    state.earlierMounts = container.mounts;
  },
};

function gone(id: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "CONTAINER_NOT_FOUND",
    what: `start container ${id.slice(0, 12)}`,
    why: "it was removed meanwhile",
  });
}

function paused(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_PAUSED",
    what: `start container ${name}`,
    why: "it is paused",
    fix: `ctl unpause ${name}`,
  });
}

/** Start of a container that exists: by a person, and after a boot. */
export const startKind: OperationKind<StartState> = {
  name: "start",
  plan: [readContainer, acquireImage, [acquireVolumes, reacquireNetworks, prepareContainer], copyUp, startContainer],
};
