import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RemoveTree } from "../../kit/linux/remove-tree.ts";
import type { OciRuntime } from "./oci-runtime.ts";

interface Expected {
  readonly payload: string;
  readonly removePayload: () => boolean;
  readonly removeTree: RemoveTree;
}

/**
 * Removes an ended crun run as its own `delete` does: its cgroups, which the kernel keeps while a process is in them, then
 * its state directory. 0.3 ms where the program takes 4 (docs/decisions/0015-delete-without-the-runtime.md). False: it is
 * the program's to do. `removePayload` removes the cgroup that the run is expected in, and answers whether it is gone.
 */
export async function forgetEndedRun(
  runtime: OciRuntime,
  id: string,
  { payload, removePayload, removeTree }: Expected,
): Promise<boolean> {
  if (runtime.kind !== "crun") return false;
  const directory = join(runtime.stateRoot, id);
  const read = (name: string) => readFile(join(directory, name), "utf8").catch(() => "");
  const [status, config] = await Promise.all([read("status"), read("config.json")]);
  // without its status it is what a create that was killed leaves; a hook is the runtime's to call
  if (!status.includes(`"${payload}"`) || config.includes('"poststop"')) return false;
  if (!removePayload()) return false;
  await removeTree(directory);
  return true;
}
