import type { Deps } from "./deps.ts";
import { renameHolding } from "./store/holdings.ts";

/** What a holder is called on its networks from now on. Idempotent; a holder that has nothing is no error. */
export async function renameHolder(
  holder: string,
  name: string,
  { db, node, dns, turns }: Pick<Deps, "db" | "node" | "dns" | "turns">,
  signal: AbortSignal,
): Promise<void> {
  using _turn = await turns.take(holder, signal);
  const holding = await renameHolding(db, node, holder, name);
  if (holding?.isActive === true) await dns.put(holding);
  else if (holding !== undefined) dns.deactivate(holding);
}
