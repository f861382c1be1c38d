import { ListVolumesRequest, type Volume, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import type { Context } from "../../context.ts";
import { command } from "../../grammar/command.ts";
import { listFlags } from "../../list-flags.ts";
import { formatRows, type Row } from "../../output/rows.ts";
import { allPages } from "../../pages.ts";
import { toFilters } from "../../values/filter.ts";

const SHAPE = {
  headings: {
    Name: "VOLUME NAME",
    Driver: "DRIVER",
    Scope: "SCOPE",
    Mountpoint: "MOUNTPOINT",
    Labels: "LABELS",
    Links: "LINKS",
  },
  columns: ["Driver", "Name"],
};

const { filter, format, quiet } = listFlags;

export const listVolumes = command({
  summary: "List volumes",
  usage: "[OPTIONS]",
  flags: { filter, format, quiet },
  least: 0,
  most: 0,
  async run({ flags }, context) {
    const rows = (await list(context, flags.filter)).map(toRow);
    if (flags.quiet) context.stdout.text(rows.map((row) => `${row["Name"]}\n`).join(""));
    else context.stdout.text(formatRows(rows, SHAPE, flags.format));
    return 0;
  },
});

function list({ daemon }: Context, filters: readonly string[]): Promise<Volume[]> {
  return allPages(async (pageToken) => {
    const request = ListVolumesRequest.fromPartial({ filters: toFilters(filters), pageToken });
    const { volumes, nextPageToken } = await daemon.unary(VolumesService.listVolumes, request);
    return { items: volumes, nextPageToken };
  });
}

function toRow(volume: Volume): Row {
  return {
    Name: volume.name,
    Driver: volume.driver,
    Scope: "local",
    Mountpoint: volume.mountpoint,
    Labels: Object.entries(volume.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key) => volume.labels[key] ?? "",
    Links: String(volume.holders.length),
  };
}
