import { hasMountWithin } from "../kit/linux/mountinfo.ts";
import { removeTreeSlowly } from "../kit/linux/remove-tree.ts";
import { volumeBusy } from "./drivers/local/mounting.ts";

/**
 * Deletes a directory with all that is in it; one that is gone is no error. Never on the hot path.
 * Throws FAILED_PRECONDITION VOLUME_BUSY (something is mounted in it), TREE_NOT_DELETED.
 */
export async function deleteTree(path: string, signal: AbortSignal): Promise<void> {
  if (await hasMountWithin(path)) throw volumeBusy(path, "something is mounted in it");
  await removeTreeSlowly(path, signal);
}
