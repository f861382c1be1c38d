import { ImagesService, RemoveImageRequest } from "#proto/ctl/images/v1/images.ts";
import { eachArgument } from "../../each-argument.ts";
import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";

export const removeImages = command({
  summary: "Remove one or more images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    force: toggle({ short: "f", help: "Remove every tag of an id, also when a stopped container was made from it" }),
  },
  least: 1,
  run: ({ flags: { force }, args }, context) =>
    eachArgument(args, context, async (ref) => {
      const request = RemoveImageRequest.fromPartial({ ref, force });
      const { untagged, deleted } = await context.daemon.unary(ImagesService.removeImage, request);
      return [...untagged.map((tag) => `Untagged: ${tag}`), ...deleted.map((id) => `Deleted: ${id}`)].join("\n");
    }),
});
