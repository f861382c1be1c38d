import { type CommandResult, runCommand } from "../kit/command.ts";
import { CtlError } from "../kit/errors.ts";
import { hasMountWithin, volumeBusy } from "./drivers/local/mounting.ts";

/**
 * Deletes a directory with all that is in it; one that is gone is no error. By rm(1), which works from descriptors: names
 * of any bytes, and trees deeper than a path can be long. Never on the hot path.
 * Throws FAILED_PRECONDITION VOLUME_BUSY (something is mounted in it), TREE_NOT_DELETED.
 */
export async function deleteTree(path: string, signal: AbortSignal): Promise<void> {
  if (await hasMountWithin(path)) throw volumeBusy(path, "something is mounted in it");
  const result = await runCommand("rm", ["-rf", "--one-file-system", "--", path], { signal });
  if (result.exitCode !== 0) throw notDeleted(path, result);
}

function notDeleted(path: string, { stderr }: CommandResult): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "TREE_NOT_DELETED",
    what: `delete ${path}`,
    why: stderr.trim().split("\n")[0] ?? "rm failed",
    fix: `delete it by hand (lsattr -R ${path} shows files that are immutable)`,
  });
}
