import { type Image, ImagesService, ListImagesRequest } from "#proto/ctl/images/v1/images.ts";
import type { Context } from "../../context.ts";
import { command } from "../../grammar/command.ts";
import { toggle } from "../../grammar/flags.ts";
import { listFlags } from "../../list-flags.ts";
import { imageRows, imageShape } from "../../output/image-row.ts";
import { formatRows } from "../../output/rows.ts";
import { allPages } from "../../pages.ts";
import { toFilters } from "../../values/filter.ts";

export const listImages = command({
  summary: "List images",
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: {
    ...listFlags,
    all: toggle({ short: "a", help: "Without effect: every image is shown", isHidden: true }),
    digests: toggle({ help: "Show digests" }),
  },
  least: 0,
  most: 1,
  async run({ flags, args: [reference] }, context) {
    const filters = reference === undefined ? flags.filter : [...flags.filter, `reference=${reference}`];
    const images = await list(context, toFilters(filters));
    const rows = images.flatMap((image) => imageRows(image, Date.now(), flags["no-trunc"], flags.digests));
    if (flags.quiet) {
      const ids = rows.map((row) => String(row["ID"]));
      context.stdout.text([...new Set(ids)].map((id) => `${id}\n`).join(""));
      return 0;
    }
    context.stdout.text(formatRows(rows, imageShape(flags.digests), flags.format));
    return 0;
  },
});

function list({ daemon }: Context, filters: { key: string; values: string[] }[]): Promise<Image[]> {
  return allPages(async (pageToken) => {
    const request = ListImagesRequest.fromPartial({ filters, pageToken });
    const { images, nextPageToken } = await daemon.unary(ImagesService.listImages, request);
    return { items: images, nextPageToken };
  });
}
