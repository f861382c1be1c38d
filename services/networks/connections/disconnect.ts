import { CtlError, isCtlError } from "../../kit/errors.ts";
import type { Deps } from "../deps.ts";
import { findNetwork } from "../find.ts";
import type { Holding } from "../holding.ts";
import { holdingOf } from "../store/holdings.ts";
import { detach } from "./detach.ts";

/**
 * Takes a holder off a network; returns what it has left, undefined where it has nothing. Idempotent: one that is not on the
 * network, or a network that is not there, is no error. Throws INVALID_ARGUMENT NETWORK_MODE_CONFLICT for the host's network.
 */
export async function disconnect(
  { holder, network: ref }: { readonly holder: string; readonly network: string },
  deps: Deps,
  signal: AbortSignal,
): Promise<Holding | undefined> {
  using _turn = await deps.turns.take(holder, signal);
  const what = `disconnect container ${holder.slice(0, 12)} from network "${ref}"`;
  const network = await findNetwork(ref, what, deps).catch((error: unknown) => {
    if (isCtlError(error, "NOT_FOUND")) return undefined;
    throw error;
  });
  const held = await holdingOf(deps.db, deps.node, holder);
  const endpoint = held?.endpoints.find((one) => one.network.id === network?.id);
  if (held === undefined || endpoint === undefined) return held;
  if (endpoint.network.driver === "host") throw sharesHost(what);
  return detach(held, endpoint, deps);
}

function sharesHost(what: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what,
    why: "a container with the host's network can be neither connected to another network nor disconnected from it",
    fix: "create the container on another network",
  });
}
