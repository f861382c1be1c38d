import { type Container, ContainersService, ListContainersRequest } from "#proto/ctl/containers/v1/containers.ts";
import { ListNetworksRequest, type Network, NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import type { Daemon } from "../../daemon.ts";
import { command } from "../../grammar/command.ts";
import { parsed } from "../../grammar/flags.ts";
import { networkDot, networkTree } from "../../output/network-graph.ts";
import { allPages } from "../../pages.ts";
import { choiceOf } from "../../values/choice.ts";

export const graphNetworks = command({
  summary: "Show networks, the containers on them and their ports as a tree",
  usage: "[OPTIONS] [NETWORK...]",
  flags: { format: parsed({ help: "tree (default), or dot for Graphviz" }, choiceOf("tree", "dot")) },
  least: 0,
  most: Number.POSITIVE_INFINITY,
  async run({ flags, args }, { daemon, stdout }) {
    const networks = args.length === 0 ? await allNetworks(daemon) : await namedNetworks(daemon, args);
    const draw = flags.format === "dot" ? networkDot : networkTree;
    stdout.text(draw(networks, await allContainers(daemon)));
    return 0;
  },
});

function allNetworks(daemon: Daemon): Promise<Network[]> {
  return allPages(async (pageToken) => {
    const { networks, nextPageToken } = await daemon.unary(
      NetworksService.listNetworks,
      ListNetworksRequest.fromPartial({ pageToken }),
    );
    return { items: networks, nextPageToken };
  });
}

async function namedNetworks(daemon: Daemon, refs: readonly string[]): Promise<Network[]> {
  const found: Network[] = [];
  for (const ref of refs) {
    const { network } = await daemon.unary(NetworksService.inspectNetwork, { ref });
    if (network !== undefined) found.push(network);
  }
  return found;
}

function allContainers(daemon: Daemon): Promise<Container[]> {
  return allPages(async (pageToken) => {
    const request = ListContainersRequest.fromPartial({ all: true, pageToken });
    const { containers, nextPageToken } = await daemon.unary(ContainersService.listContainers, request);
    return { items: containers, nextPageToken };
  });
}
