import {
  ContainersService,
  ListContainersRequest,
  type ListedContainer,
  ListedContainers,
} from "#proto/ctl/containers/v1/containers.ts";
import type { Context } from "../context.ts";
import { command } from "../grammar/command.ts";
import { integer, toggle } from "../grammar/flags.ts";
import { listFlags } from "../list-flags.ts";
import { containerRow, containerShape } from "../output/container-row.ts";
import { formatRows } from "../output/rows.ts";
import { allPages } from "../pages.ts";
import { toFilters } from "../values/filter.ts";

export const ps = command({
  summary: "List containers",
  usage: "[OPTIONS]",
  flags: {
    ...listFlags,
    all: toggle({ short: "a", help: "Show those that do not run as well" }),
    last: integer({ short: "n", help: "Show the N newest, whatever their state" }),
    latest: toggle({ short: "l", help: "Show the newest, whatever its state" }),
    size: toggle({ short: "s", help: "Show how much each has written" }),
  },
  least: 0,
  most: 0,
  async run({ flags }, context) {
    const last = flags.latest ? 1 : Math.max(0, flags.last ?? 0);
    const withSize = flags.size || (flags.format?.includes(".Size") ?? false);
    const request = { all: flags.all, filters: toFilters(flags.filter), last, withSize };
    const containers = await list(context, request);
    if (flags.quiet) {
      const ids = containers.map(({ id }) => (flags["no-trunc"] ? id : id.slice(0, 12)));
      context.stdout.text(ids.map((id) => `${id}\n`).join(""));
      return 0;
    }
    const rows = containers.map((one) => containerRow(one, Date.now(), flags["no-trunc"]));
    context.stdout.text(formatRows(rows, containerShape(withSize), flags.format));
    if (containers.some((one) => one.isStale)) {
      context.stderr.text("ctl: the database is away; this list is from memory and files\n");
    }
    return 0;
  },
});

/** The same answer, read into what a list shows: half of the work for a thousand containers. */
const LIST = {
  ...ContainersService.listContainers,
  responseSerialize: (value: ListedContainers) => Buffer.from(ListedContainers.encode(value).finish()),
  responseDeserialize: (bytes: Buffer) => ListedContainers.decode(bytes),
};

/** The most that there is: each page is a question of its own. */
const PAGE_SIZE = 5_000;

function list({ daemon }: Context, wanted: Partial<ListContainersRequest>): Promise<ListedContainer[]> {
  return allPages(async (pageToken) => {
    const request = ListContainersRequest.fromPartial({ ...wanted, pageToken, pageSize: PAGE_SIZE });
    const { containers, nextPageToken } = await daemon.unary(LIST, request);
    return { items: containers, nextPageToken };
  });
}
