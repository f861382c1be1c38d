import { asCtlError } from "../kit/errors.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { deleteTree } from "./delete-tree.ts";
import type { Deps } from "./deps.ts";
import { trashedIds, trashOf, type VolumeDirectories } from "./drivers/local/directories.ts";
import { livingIds } from "./store.ts";

/**
 * Deletes the content of volumes whose removal is committed; with a row it is one that is being removed, or comes back.
 * What cannot be deleted is named in the log and in `undeletable`, and passed over next time.
 */
export async function emptyTrash(
  { db, log }: Pick<Deps, "db" | "log">,
  directories: VolumeDirectories,
  undeletable: Set<string>,
  signal: AbortSignal,
): Promise<void> {
  const ids = (await trashedIds(directories)).filter((id) => !undeletable.has(id));
  if (ids.length === 0) return;
  const living = await livingIds(db, ids);
  for (const id of ids.filter((one) => !living.has(one))) {
    const path = trashOf(directories, { id });
    try {
      await deleteTree(path, signal);
      log.debug({ [attribute.path]: path }, "content of a removed volume deleted");
    } catch (error) {
      if (signal.aborted) throw error;
      undeletable.add(id);
      log.error({ [attribute.path]: path, err: asCtlError(error, "delete a volume") }, "removed volume not deleted");
    }
  }
}
