import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { isVisible, type MountEntry, readMountinfo } from "../../kit/linux/mountinfo.ts";

export type V1Controller = "cpu" | "cpuacct" | "cpuset" | "memory" | "devices" | "freezer" | "blkio" | "pids";

/** How this host has its cgroups mounted, see cgroups(7). */
export type CgroupLayout =
  | { readonly mode: "v2"; readonly root: string }
  | {
      readonly mode: "v1" | "hybrid";
      /** Mount point of the hierarchy that has the controller; several controllers may share one. */
      readonly controllers: ReadonlyMap<V1Controller, string>;
      /** Every v1 hierarchy's mount point once, `name=systemd` too. */
      readonly hierarchies: readonly string[];
      /** The v2 hierarchy beside them: `/sys/fs/cgroup/unified`. */
      readonly unified: string | undefined;
    };

const CGROUP_ROOT = "/sys/fs/cgroup";
const CONTROLLERS: readonly V1Controller[] = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
];

/** Throws FAILED_PRECONDITION CGROUPS_MISSING where no cgroups are mounted. */
export async function detectCgroups(): Promise<CgroupLayout> {
  return cgroupLayout(await readMountinfo());
}

export function cgroupLayout(mounts: readonly MountEntry[]): CgroupLayout {
  const below = mounts
    .filter(({ type, mountPoint }) => type.startsWith("cgroup") && `${mountPoint}/`.startsWith(`${CGROUP_ROOT}/`))
    .filter((mount) => isVisible(mounts, mount));
  const v1 = below.filter(({ type }) => type === "cgroup");
  const v2 = below.filter(({ type }) => type === "cgroup2").map(({ mountPoint }) => mountPoint);
  if (v1.length === 0 && v2[0] !== undefined) return { mode: "v2", root: v2[0] };
  if (v1.length === 0) throw cgroupsMissing();
  const controllers = new Map<V1Controller, string>();
  for (const { mountPoint, superOptions } of v1) {
    for (const name of CONTROLLERS) {
      // a later mount of the same hierarchy is somebody's bind
      if (superOptions.includes(name) && !controllers.has(name)) controllers.set(name, mountPoint);
    }
  }
  const hierarchies = [...new Set(v1.map(({ mountPoint }) => mountPoint))];
  return { mode: v2.length > 0 ? "hybrid" : "v1", controllers, hierarchies, unified: v2[0] };
}

/** Where cgroup `path` is in each hierarchy that a runtime uses. */
export function directoriesOf(layout: CgroupLayout, path: string): string[] {
  if (layout.mode === "v2") return [join(layout.root, path)];
  return [...layout.hierarchies, ...(layout.unified === undefined ? [] : [layout.unified])].map((root) =>
    join(root, path),
  );
}

/** The directory that a controller's files are in; undefined where the host lacks the controller. */
export function controllerDirectory(layout: CgroupLayout, controller: V1Controller, path: string): string | undefined {
  if (layout.mode === "v2") return join(layout.root, path);
  const root = layout.controllers.get(controller);
  return root === undefined ? undefined : join(root, path);
}

/** The `cgroup.procs` of a cgroup of this process, in a hierarchy that the runtime will move processes in. */
export async function ownProcsFile(layout: CgroupLayout): Promise<string | undefined> {
  const lines = (await readFile("/proc/self/cgroup", "utf8")).split("\n");
  if (layout.mode === "v2") {
    const path = lines.find((line) => line.startsWith("0::"))?.slice(3);
    return path === undefined ? undefined : join(layout.root, path, "cgroup.procs");
  }
  for (const [controller, root] of layout.controllers) {
    const line = lines.find((one) => one.split(":")[1]?.split(",").includes(controller));
    if (line !== undefined) return join(root, line.split(":").slice(2).join(":"), "cgroup.procs");
  }
  return undefined;
}

function cgroupsMissing(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CGROUPS_MISSING",
    what: "run containers on this host",
    why: `no cgroup file system is mounted below ${CGROUP_ROOT}`,
    fix: `mount one: mount -t cgroup2 cgroup2 ${CGROUP_ROOT}`,
  });
}
