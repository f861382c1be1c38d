import { ListNetworksRequest, type Network, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { Context } from "../../context.ts";
import { command } from "../../grammar/command.ts";
import { listFlags } from "../../list-flags.ts";
import { goTime, shortId } from "../../output/human.ts";
import { formatRows, type Row } from "../../output/rows.ts";
import { toDate } from "../../output/time.ts";
import { allPages } from "../../pages.ts";
import { toFilters } from "../../values/filter.ts";

const SHAPE = {
  headings: {
    ID: "NETWORK ID",
    Name: "NAME",
    Driver: "DRIVER",
    Scope: "SCOPE",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    CreatedAt: "CREATED AT",
  },
  columns: ["ID", "Name", "Driver", "Scope"],
};

export const listNetworks = command({
  summary: "List networks",
  usage: "[OPTIONS]",
  flags: listFlags,
  least: 0,
  most: 0,
  async run({ flags }, context) {
    const rows = (await list(context, flags.filter)).map((network) => toRow(network, flags["no-trunc"]));
    if (flags.quiet) context.stdout.text(rows.map((row) => `${row["ID"]}\n`).join(""));
    else context.stdout.text(formatRows(rows, SHAPE, flags.format));
    return 0;
  },
});

function list({ daemon }: Context, filter: readonly string[]): Promise<Network[]> {
  return allPages(async (pageToken) => {
    const request = ListNetworksRequest.fromPartial({ filters: toFilters(filter), pageToken });
    const { networks, nextPageToken } = await daemon.unary(NetworksService.listNetworks, request);
    return { items: networks, nextPageToken };
  });
}

function toRow(network: Network, isWhole: boolean): Row {
  return {
    ID: isWhole ? network.id : shortId(network.id),
    Name: network.name,
    // Docker's name for the driver of the network "none"
    Driver: network.driver === "none" ? "null" : network.driver,
    Scope: "local",
    IPv6: String(network.hasIpv6),
    Internal: String(network.isInternal),
    Labels: Object.entries(network.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key) => network.labels[key] ?? "",
    get CreatedAt() {
      return goTime(toDate(network.created));
    },
  };
}
