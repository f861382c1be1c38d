import { ContainersService, InspectContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { command } from "../../grammar/command.ts";

/**
 * Docker's checkpoints need CRIU, and a runtime that was built with it: Debian's crun is not. They are refused plainly,
 * by name and after a look at whether the container is there at all. UNIMPLEMENTED CHECKPOINT_UNSUPPORTED.
 */
function refused(verb: string, summary: string, usage: string, least: number) {
  return command({
    summary,
    usage,
    flags: {},
    least,
    most: least,
    async run({ args: [ref = ""] }, { daemon }) {
      const { container } = await daemon.unary(
        ContainersService.inspectContainer,
        InspectContainerRequest.fromPartial({ ref }),
      );
      throw new CtlError("UNIMPLEMENTED", {
        reason: "CHECKPOINT_UNSUPPORTED",
        what: `${verb} of container ${container?.name ?? ref}`,
        why: "checkpoints need an OCI runtime built with CRIU, and this version of ctl uses none",
        fix: "stop the container and start it again (ctl stop, ctl start): what it wrote is kept",
      });
    },
  });
}

export const createCheckpoint = refused(
  "make a checkpoint",
  "Make a checkpoint of a running container (not supported)",
  "CONTAINER CHECKPOINT",
  2,
);
export const listCheckpoints = refused(
  "list the checkpoints",
  "List the checkpoints of a container (not supported)",
  "CONTAINER",
  1,
);
export const removeCheckpoint = refused(
  "remove a checkpoint",
  "Remove a checkpoint of a container (not supported)",
  "CONTAINER CHECKPOINT",
  2,
);
