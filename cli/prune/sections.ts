import { GatewayService, PruneContainersRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { ImagesService, PruneImagesRequest } from "#proto/ctl/images/v1/images.ts";
import { NetworksService, PruneNetworksRequest } from "#proto/ctl/networks/v1/networks.ts";
import { PruneVolumesRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import type { Daemon } from "../daemon.ts";
import { toFilters } from "../values/filter.ts";
import type { Section } from "./prune.ts";

export interface Choice {
  readonly filter: readonly string[];
  readonly isDryRun: boolean;
  /** Also what has a name. */
  readonly all?: boolean;
  /** For a dry run: containers that would be removed before. */
  readonly withoutHolders?: readonly string[];
}

/** The lines are ids. */
export async function containersSection({ filter, isDryRun }: Choice, daemon: Daemon): Promise<Section> {
  const request = PruneContainersRequest.fromPartial({ filters: toFilters(filter), dryRun: isDryRun });
  const { removed, reclaimedBytes } = await daemon.unary(GatewayService.pruneContainers, request);
  return { title: "Containers", lines: removed, reclaimedBytes };
}

export async function imagesSection(choice: Choice, daemon: Daemon): Promise<Section> {
  const request = PruneImagesRequest.fromPartial(requestOf(choice));
  const { untagged, deleted, reclaimedBytes } = await daemon.unary(ImagesService.pruneImages, request);
  const lines = [...untagged.map((name) => `untagged: ${name}`), ...deleted.map((id) => `deleted: ${id}`)];
  return { title: "Images", lines, reclaimedBytes };
}

export async function volumesSection(choice: Choice, daemon: Daemon): Promise<Section> {
  const request = PruneVolumesRequest.fromPartial(requestOf(choice));
  const { removed, reclaimedBytes } = await daemon.unary(VolumesService.pruneVolumes, request);
  return { title: "Volumes", lines: removed, reclaimedBytes };
}

export async function networksSection(choice: Choice, daemon: Daemon): Promise<Section> {
  const request = PruneNetworksRequest.fromPartial(requestOf(choice));
  return { title: "Networks", lines: (await daemon.unary(NetworksService.pruneNetworks, request)).removed };
}

function requestOf({ filter, isDryRun, all = false, withoutHolders = [] }: Choice) {
  return { filters: toFilters(filter), dryRun: isDryRun, all, withoutHolders: [...withoutHolders] };
}
