import type { Deps } from "../deps.ts";
import { hasInterfaces } from "../store/holdings.ts";

/** Who flushes or reloads the host's own rules takes ours there with them; the last container that stops needs none. */
export function keepFirewall(
  { firewall, db, node }: Pick<Deps, "firewall" | "db" | "node">,
  signal: AbortSignal,
): Promise<void> {
  return firewall.settle(() => hasInterfaces(db, node), signal);
}
