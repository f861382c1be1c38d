import { deadline } from "../kit/deadlines.ts";
import { CtlError, isCtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { bridgeRulesOf } from "./drivers/bridge.ts";
import { recordNetworkEvent } from "./events.ts";
import { findNetwork } from "./find.ts";
import { driverNetwork, type Network, networkNotFound } from "./network.ts";
import { type AttachedEndpoint, endpointsOn } from "./store/endpoints.ts";
import { deleteNetwork, lockNetwork } from "./store/networks.ts";

export interface RemoveRequest {
  readonly ref: string;
  /** A network that does not exist is no error. */
  readonly force: boolean;
}

/**
 * Removes a network from host and rows, the row last: a crash in between leaves the network as it was. Returns its id;
 * empty: there was none. Throws NOT_FOUND NETWORK_NOT_FOUND; FAILED_PRECONDITION NETWORK_IN_USE naming the containers,
 * NETWORK_BUILT_IN.
 */
export async function remove({ ref, force }: RemoveRequest, deps: Deps): Promise<string> {
  const what = `remove network "${ref}"`;
  const found = await findNetwork(ref, what, deps).catch((error: unknown) => {
    if (force && isCtlError(error, "NOT_FOUND")) return undefined;
    throw error;
  });
  if (found === undefined) return "";
  if (found.isBuiltIn) throw builtIn(found);
  // each keeps a connection while the kernel takes its bridge down: twenty at once left none for anybody else
  using _ = await deps.turns.take(REMOVALS, deadline(TURN_MS, `${what} behind others`));
  await deps.db.transaction(async (tx) => {
    const network = await lockNetwork(tx, found.id);
    if (network === undefined) throw networkNotFound(ref, what);
    const endpoints = await endpointsOn(tx, [network.id]);
    if (endpoints.length > 0) throw networkInUse(network, endpoints);
    await deps.drivers[network.driver].remove(driverNetwork(network));
    await deleteNetwork(tx, network.id);
    await recordNetworkEvent(tx, "destroy", network);
  });
  deps.known.forget(found.id);
  // one who saw the row until now may have asked for sandboxes on it again
  await deps.pool.drop(found.id);
  // one who wrote the whole table while our transaction was open has written this network's rules again
  if (found.driver === "bridge") await deps.ruleset.removeBridge(bridgeRulesOf(driverNetwork(found)));
  return found.id;
}

const REMOVALS = "networks that are removed";
const TURN_MS = 120_000;

function networkInUse({ name }: Network, endpoints: readonly AttachedEndpoint[]): CtlError {
  const names = endpoints.map(({ holder, holderName }) => (holderName === "" ? holder.slice(0, 12) : holderName));
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NETWORK_IN_USE",
    what: `remove network "${name}"`,
    why: `${names.length === 1 ? "the container" : "the containers"} ${names.join(", ")} ${names.length === 1 ? "has" : "have"} an address on it`,
    fix: `remove ${names.length === 1 ? "that container" : "those containers"} first (ctl rm)`,
  });
}

function builtIn({ name }: Network): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NETWORK_BUILT_IN",
    what: `remove network "${name}"`,
    why: "it belongs to the engine",
  });
}
