import { rmdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ContainerId } from "../spec/spec.ts";
import { type CgroupLayout, directoriesOf } from "./layout.ts";

/** Below which cgroup our containers are. */
export type CgroupParent =
  /** No systemd: one of ours at the top, named after the instance. */
  | { readonly kind: "own"; readonly name: string }
  /** A cgroup that systemd gave us (Delegate=yes): absolute path in the hierarchies. */
  | { readonly kind: "delegated"; readonly path: string };

export interface ContainerCgroups {
  /** The container's processes; what config.json names. */
  readonly payload: string;
  /** Its conmon; undefined: conmon stays where the daemon is. */
  readonly monitor: string | undefined;
  /** What is removed in the end, children before parents. */
  readonly all: readonly string[];
}

/**
 * `asked` is a container's own `--cgroup-parent`: absolute, or below the one that all have. Its monitor stays where the
 * others' are.
 */
export function containerCgroups(parent: CgroupParent, id: ContainerId, asked = ""): ContainerCgroups {
  const payload = asked === "" ? undefined : join(asked.startsWith("/") ? asked : join(parentPath(parent), asked), id);
  if (parent.kind === "own") {
    const own = payload ?? `/${parent.name}/${id}`;
    return { payload: own, monitor: undefined, all: [own] };
  }
  const own = join(parent.path, id);
  if (payload !== undefined) return { payload, monitor: `${own}/monitor`, all: [payload, `${own}/monitor`, own] };
  // apart, because v2 lets no cgroup have both processes and children with controllers
  return { payload: `${own}/payload`, monitor: `${own}/monitor`, all: [`${own}/payload`, `${own}/monitor`, own] };
}

/**
 * Moves a process into the monitor's cgroup: in v2's hierarchy and in systemd's of v1, the ones by which systemd knows
 * what belongs to a unit. Idempotent.
 */
export async function enterMonitorCgroup(layout: CgroupLayout, path: string, pid: number): Promise<void> {
  for (const directory of trackedDirectories(layout, path)) {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "cgroup.procs"), String(pid));
  }
}

/**
 * Removes a container's empty cgroups. Idempotent; false when one still has processes. In this thread: no disk is behind
 * them and each takes the kernel 10 to 25 µs, of which there are ten on a v1 host; through libuv's pool it would be 100.
 */
export function removeCgroups(layout: CgroupLayout, paths: readonly string[]): boolean {
  const gone = paths.flatMap((path) => directoriesOf(layout, path)).map(removeDirectory);
  return !gone.includes(false);
}

/**
 * Removes the cgroups that a runtime made between ours and a container with a parent of its own (`--cgroup-parent web`),
 * once no container is in them. One at an absolute path is somebody else's, and stays as with Docker. Idempotent.
 */
export function removeAskedParent(layout: CgroupLayout, parent: CgroupParent, asked = ""): void {
  if (asked === "" || asked.startsWith("/")) return;
  const top = parentPath(parent);
  for (let path = join(top, asked); path.startsWith(`${top}/`); path = dirname(path)) removeCgroups(layout, [path]);
}

function removeDirectory(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return true;
    if (code === "EBUSY" || code === "ENOTEMPTY") return false;
    throw error;
  }
}

function trackedDirectories(layout: CgroupLayout, path: string): string[] {
  if (layout.mode === "v2") return directoriesOf(layout, path);
  const systemd = layout.hierarchies.find((root) => root.endsWith("/systemd"));
  return [systemd, layout.unified].flatMap((root) => (root === undefined ? [] : [join(root, path)]));
}

/** The parent that all of an instance's containers share, for the leak check and the removal of an instance. */
export function parentPath(parent: CgroupParent): string {
  return parent.kind === "own" ? `/${parent.name}` : parent.path;
}
