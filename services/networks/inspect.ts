import type { Deps } from "./deps.ts";
import { findNetwork } from "./find.ts";
import type { Network } from "./network.ts";
import { type AttachedEndpoint, endpointsOn } from "./store/endpoints.ts";

/** A network, and who is on it now. */
export interface Inspected {
  readonly network: Network;
  readonly endpoints: readonly AttachedEndpoint[];
}

/** Throws what `findNetwork` throws. */
export async function inspect(ref: string, deps: Pick<Deps, "db" | "node">): Promise<Inspected> {
  const network = await findNetwork(ref, `inspect network "${ref}"`, deps);
  const [inspected] = await withEndpoints([network], deps);
  return inspected ?? { network, endpoints: [] };
}

export async function withEndpoints(networks: readonly Network[], { db }: Pick<Deps, "db">): Promise<Inspected[]> {
  const endpoints = (
    await endpointsOn(
      db,
      networks.map(({ id }) => id),
    )
  ).filter(({ isActive }) => isActive);
  return networks.map((network) => ({
    network,
    endpoints: endpoints.filter(({ networkId }) => networkId === network.id),
  }));
}
