import type { Deps } from "../deps.ts";
import { recordEndpointEvents } from "../events.ts";
import {
  defaultRouteEndpoint,
  driverNetworkOf,
  type Endpoint,
  type Holding,
  hostPortOf,
  routedFamilies,
} from "../holding.ts";
import { vethsOf } from "../host/bring-up.ts";
import { deleteEndpoint, movePorts } from "../store/connections.ts";
import { changeMappings, configure } from "./attach.ts";

/**
 * Takes an endpoint from a holder: names first, the row last, so that nobody is given its address while the interface still
 * has it; what a crash in between leaves is done again by whoever does it again. Ports and default route go to the next
 * network that leads outside; with none there are no ports. Returns what the holder has left.
 */
export async function detach(held: Holding, endpoint: Endpoint, deps: Deps): Promise<Holding> {
  const left = without(held, endpoint);
  if (held.isActive) await takeOff(held, left, endpoint, deps);
  await deps.db.transaction(async (tx) => {
    const next = defaultRouteEndpoint(left.endpoints);
    if (next !== undefined) await movePorts(tx, held.holder, next.id);
    if (await deleteEndpoint(tx, held.holder, endpoint.id)) {
      await recordEndpointEvents(tx, "disconnect", held.holder, [endpoint]);
    }
  });
  if (left.ports.length === 0) {
    for (const port of held.ports) deps.hostPorts.release(hostPortOf(port), held.holder);
  }
  if (!held.isActive) deps.dns.deactivate(left);
  return left;
}

async function takeOff(held: Holding, left: Holding, endpoint: Endpoint, deps: Deps): Promise<void> {
  await deps.dns.put(left);
  await changeMappings(held, left, deps);
  for (const other of left.endpoints) {
    const before = routedFamilies(held.endpoints, other);
    if (routedFamilies(left.endpoints, other).length > before.length) await configure(left, other, held, deps);
  }
  for (const veth of vethsOf(endpoint)) {
    await deps.drivers[endpoint.network.driver].disconnect(driverNetworkOf(endpoint), veth);
  }
}

function without(held: Holding, { id }: Endpoint): Holding {
  const endpoints = held.endpoints.filter((one) => one.id !== id);
  const next = defaultRouteEndpoint(endpoints);
  const ports = next === undefined ? [] : held.ports.map((port) => ({ ...port, endpointId: next.id }));
  return { ...held, endpoints, ports };
}
