import type { Deps } from "./deps.ts";
import { volumeNamed } from "./store.ts";
import { type Volume, volumeNotFound } from "./volume.ts";

/** Throws NOT_FOUND VOLUME_NOT_FOUND. A volume goes by its whole name, as Docker has it. */
export async function inspect(name: string, { db, node }: Pick<Deps, "db" | "node">): Promise<Volume> {
  const volume = await volumeNamed(db, node, name);
  if (volume === undefined) throw volumeNotFound(name, `inspect volume "${name}"`);
  return volume;
}
