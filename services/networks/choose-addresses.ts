import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import type { HostRoute } from "./drivers/link-operations.ts";
import { chooseSubnet } from "./ipam/pools.ts";
import { containsSubnet, overlaps, parseSubnet } from "./ipam/subnet.ts";
import { type AddressPlan, freePlan, type WantedAddresses } from "./requests/wanted-pool.ts";
import { allNetworks } from "./store/networks.ts";

/**
 * A network's addresses: those that are named, and a free subnet for each family without. The caller is alone on the host
 * until its link stands, whose route the next one sees. Throws FAILED_PRECONDITION SUBNET_IN_USE for a subnet that would
 * hide a part of the host's surroundings; RESOURCE_EXHAUSTED ADDRESS_POOLS_EXHAUSTED.
 */
export async function chooseAddresses(
  { families, plans }: WantedAddresses,
  name: string,
  deps: Pick<Deps, "db" | "node" | "thread" | "addressPools">,
): Promise<AddressPlan[]> {
  const routes = await deps.thread.call("listHostRoutes", undefined);
  const networks = await allNetworks(deps.db, deps.node);
  const own = new Set(networks.map(({ bridge }) => bridge));
  for (const { subnet } of plans)
    refuseRouted(
      subnet,
      name,
      routes.filter(({ linkName }) => !own.has(linkName)),
    );
  const taken = [
    ...routes.map(({ destination }) => destination),
    ...networks.flatMap(({ pools }) => pools.map(({ subnet }) => subnet)),
    ...plans.map(({ subnet }) => subnet),
  ].map(parseSubnet);
  const free = families.filter((family) => !plans.some(({ subnet }) => parseSubnet(subnet).family === family));
  const chosen = free.map((family) => freePlan(chooseSubnet(deps.addressPools, taken, family)));
  return [...plans, ...chosen].toSorted((a, b) => parseSubnet(a.subnet).family - parseSubnet(b.subnet).family);
}

/** A part of what lies behind a router may be a network's, as in Docker; what is at the host's own links may not. */
function refuseRouted(text: string, name: string, routes: readonly HostRoute[]): void {
  const subnet = parseSubnet(text);
  const hidden = routes.find(({ destination, isDirect }) => {
    const route = parseSubnet(destination);
    return isDirect ? overlaps(subnet, route) : containsSubnet(subnet, route);
  });
  if (hidden === undefined) return;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "SUBNET_IN_USE",
    what: `create network "${name}"`,
    why: `the host has a route to ${hidden.destination}${hidden.linkName === "" ? "" : ` (${hidden.linkName})`}, which its subnet ${text} would hide`,
    fix: "choose another --subnet, or none for a free one",
  });
}
