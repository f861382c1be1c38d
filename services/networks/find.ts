import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { type Network, networkNotFound } from "./network.ts";
import { networksLike } from "./store/networks.ts";

/**
 * The networks that references mean, in their order: an id, else a name, else the beginning of exactly one id.
 * Throws NOT_FOUND NETWORK_NOT_FOUND; INVALID_ARGUMENT NETWORK_AMBIGUOUS.
 */
export async function findNetworks(
  refs: readonly string[],
  what: string,
  { db, node }: Pick<Deps, "db" | "node">,
): Promise<Network[]> {
  const networks = await networksLike(db, node, refs);
  return refs.map((ref) => pick(networks, ref, what));
}

/** The same, without asking the database where this replica knows all of them by name; what it says may be a second old. */
export async function knownNetworks(
  refs: readonly string[],
  what: string,
  deps: Pick<Deps, "db" | "node" | "known">,
): Promise<Network[]> {
  const known = refs.flatMap((ref) => deps.known.find(ref) ?? []);
  return known.length === refs.length ? known : await findNetworks(refs, what, deps);
}

export async function findNetwork(ref: string, what: string, deps: Pick<Deps, "db" | "node">): Promise<Network> {
  return pick(await networksLike(deps.db, deps.node, [ref]), ref, what);
}

function pick(networks: readonly Network[], ref: string, what: string): Network {
  const exact = networks.find(({ id }) => id === ref) ?? networks.find(({ name }) => name === ref);
  if (exact !== undefined) return exact;
  const [only, ...others] = ref === "" ? [] : networks.filter(({ id }) => id.startsWith(ref));
  if (only === undefined) throw networkNotFound(ref, what);
  if (others.length === 0) return only;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_AMBIGUOUS",
    what,
    why: `${others.length + 1} networks' ids begin with "${ref}"`,
    fix: "write more of the id, or the name",
  });
}
