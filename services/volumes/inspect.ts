import { within } from "../kit/deadlines.ts";
import { isCtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { sizeBytesOf } from "./size.ts";
import { type Use, usesOf, volumeNamed } from "./store.ts";
import { type Volume, volumeNotFound } from "./volume.ts";

/** A person waits for the answer. */
const WEIGH_TIMEOUT_MS = 5_000;

export interface InspectedVolume {
  readonly volume: Volume;
  readonly uses: readonly Use[];
  /** Undefined: not asked for, kept elsewhere, or more than can be weighed in five seconds. */
  readonly sizeBytes: number | undefined;
}

/** Throws NOT_FOUND VOLUME_NOT_FOUND. A volume goes by its whole name, as Docker has it. */
export async function inspect(
  { name, withSize }: { readonly name: string; readonly withSize: boolean },
  deps: Pick<Deps, "db" | "node" | "drivers">,
  signal: AbortSignal,
): Promise<InspectedVolume> {
  const volume = await volumeNamed(deps.db, deps.node, name);
  if (volume === undefined) throw volumeNotFound(name, `inspect volume "${name}"`);
  const uses = await usesOf(deps.db, volume.id);
  return { volume, uses, sizeBytes: withSize ? await weigh(volume, deps, signal) : undefined };
}

async function weigh(volume: Volume, { drivers }: Pick<Deps, "drivers">, signal: AbortSignal) {
  const patience = within(signal, WEIGH_TIMEOUT_MS, `weigh volume "${volume.name}"`);
  try {
    return await sizeBytesOf(volume, drivers, patience);
  } catch (error) {
    if (signal.aborted || !isCtlError(error, "DEADLINE_EXCEEDED")) throw error;
    return undefined;
  }
}
