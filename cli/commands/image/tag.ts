import { ImagesService, TagImageRequest } from "#proto/ctl/images/v1/images.ts";
import { command } from "../../grammar/command.ts";

export const tag = command({
  summary: "Give an image another name",
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  flags: {},
  least: 2,
  most: 2,
  async run({ args: [ref = "", tag = ""] }, { daemon }) {
    await daemon.unary(ImagesService.tagImage, TagImageRequest.fromPartial({ ref, tag }));
    return 0;
  },
});
