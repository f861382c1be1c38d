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

/** Start of a container that exists: by a person, and after a boot. */
export const startKind: OperationKind<StartState> = {
  name: "start",
  plan: [readContainer, acquireImage, [acquireVolumes, reacquireNetworks, prepareContainer], copyUp, startContainer],
};
