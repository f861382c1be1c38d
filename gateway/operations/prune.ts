import { type Container, ContainerState, ListContainersRequest } from "#proto/ctl/containers/v1/containers.ts";
import {
  type PruneContainersRequest,
  type PruneContainersResponse,
  RemoveContainerRequest,
} from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import { inParallel } from "../../services/kit/parallel.ts";
import { PRUNE_FILTERS, parsePruneFilters } from "../../services/kit/prune-filters.ts";
import type { Clients } from "../clients.ts";
import type { GatewayDeps } from "../deps.ts";
import { runOperation } from "./operation.ts";
import { removeKind } from "./remove.ts";
import { removeState } from "./states.ts";

const AT_ONCE = 4;
const RESTING: readonly ContainerState[] = [ContainerState.CREATED, ContainerState.EXITED, ContainerState.DEAD];

/** Removes the containers that do not run; one that is started or removed meanwhile is left. With `dryRun` none. */
export async function pruneContainers(
  { filters, dryRun }: PruneContainersRequest,
  { clients, operations }: Pick<GatewayDeps, "clients" | "operations">,
  signal: AbortSignal,
): Promise<PruneContainersResponse> {
  const isChosen = parsePruneFilters(filters, PRUNE_FILTERS, Date.now());
  const chosen = (await allContainers(clients, signal)).filter(
    (container) => RESTING.includes(container.state) && isChosen(candidate(container)),
  );
  const remove = async ({ id }: Container, s: AbortSignal): Promise<boolean> => {
    const state = removeState(clients, { subject: id, force: false, volumes: false });
    const request = RemoveContainerRequest.encode({ ref: id, force: false, volumes: false }).finish();
    return runOperation(removeKind, state, Buffer.from(request), operations, s).then(() => true, isLeft);
  };
  const isGone = dryRun ? chosen.map(() => true) : await inParallel(chosen, remove, signal, AT_ONCE);
  const removed = chosen.filter((_, index) => isGone[index]);
  const reclaimedBytes = removed.reduce((sum, { sizeRwBytes }) => sum + (sizeRwBytes ?? 0), 0);
  if (!dryRun) await clients.containers.recordPrune({ reclaimedBytes }, { signal });
  return { removed: removed.map(({ id }) => id), reclaimedBytes };
}

function isLeft(error: unknown): false {
  if (isCtlError(error, "FAILED_PRECONDITION", "NOT_FOUND", "ABORTED")) return false;
  throw error;
}

function candidate({ imageConfig, spec, created }: Container) {
  return {
    labels: { ...imageConfig?.labels, ...spec?.labels },
    createdAt: created === undefined ? undefined : new Date(created.seconds * 1_000),
  };
}

async function allContainers({ containers }: Clients, signal: AbortSignal): Promise<Container[]> {
  const all: Container[] = [];
  for (let pageToken: string | undefined = ""; pageToken !== undefined; ) {
    const request = ListContainersRequest.fromPartial({ all: true, withSize: true, pageToken });
    const page = await containers.listContainers(request, { signal });
    all.push(...page.containers);
    pageToken = page.nextPageToken === "" ? undefined : page.nextPageToken;
  }
  return all;
}
