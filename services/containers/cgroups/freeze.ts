import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { type CgroupLayout, controllerDirectory } from "./layout.ts";

const LOOK_MS = 2;

/**
 * Freezes or thaws everything in a cgroup and waits until the kernel says so: the freezer of v1, cgroup.freeze of v2.
 * Idempotent. Throws FAILED_PRECONDITION FREEZER_MISSING; by the signal.
 */
export async function setFrozen(
  layout: CgroupLayout,
  path: string,
  frozen: boolean,
  signal: AbortSignal,
): Promise<void> {
  const directory = controllerDirectory(layout, "freezer", path);
  if (directory === undefined) throw freezerMissing();
  const { file, value, isSo } = layout.mode === "v2" ? v2(frozen) : v1(frozen);
  await writeFile(join(directory, file), value);
  while (!(await isSo(directory))) await sleep(LOOK_MS, signal);
}

function v1(frozen: boolean) {
  const value = frozen ? "FROZEN" : "THAWED";
  const isSo = async (directory: string) => (await readFile(join(directory, "freezer.state"), "utf8")).trim() === value;
  return { file: "freezer.state", value, isSo };
}

function v2(frozen: boolean) {
  const wanted = `frozen ${frozen ? 1 : 0}`;
  const isSo = async (directory: string) =>
    (await readFile(join(directory, "cgroup.events"), "utf8")).split("\n").includes(wanted);
  return { file: "cgroup.freeze", value: frozen ? "1" : "0", isSo };
}

function freezerMissing(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "FREEZER_MISSING",
    what: "pause a container",
    why: "this host has no freezer cgroup",
    fix: "mount it: mount -t cgroup -o freezer freezer /sys/fs/cgroup/freezer",
  });
}
