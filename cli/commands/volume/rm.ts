import { RemoveVolumeRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { eachArgument } from "../../each-argument.ts";
import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";

export const removeVolumes = command({
  summary: "Remove one or more volumes",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { force: toggle({ short: "f", help: "One that does not exist is no failure" }) },
  least: 1,
  run: ({ flags: { force }, args }, context) =>
    eachArgument(args, context, async (ref) => {
      await context.daemon.unary(VolumesService.removeVolume, RemoveVolumeRequest.fromPartial({ ref, force }));
      return ref;
    }),
});
