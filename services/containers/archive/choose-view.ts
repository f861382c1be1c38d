import { mkdir, stat } from "node:fs/promises";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { ContainerHost } from "../host/host.ts";
import { shiftOf } from "../host/remap.ts";
import { isUp } from "../lifecycle.ts";
import { containerPaths } from "../paths.ts";
import { beingRemoved } from "../prepare.ts";
import { isRunning } from "../reconcile.ts";
import { makeRootDirectories } from "../rootfs/mount-root.ts";
import { isMounted, neededDirectories, rootfsDirectories } from "../rootfs/overlay.ts";
import type { ContainerRow } from "../store/containers.ts";
import type { OverlayView, View, ViewMount } from "./jobs.ts";

/**
 * What a container sees: while it runs, what its first process does; else its root with the volumes and binds of its last
 * start, where a tmpfs would have nothing. Throws FAILED_PRECONDITION CONTAINER_BEING_REMOVED.
 */
export async function containerView(
  row: ContainerRow,
  host: ContainerHost,
  upperLayer: "shown" | "written",
): Promise<View> {
  if (row.state === "removing") throw beingRemoved(row.name);
  if (await hasProcess(row)) return { kind: "process", pid: row.pid, startTicks: Number(row.start_ticks) };
  return overlayView(row, host, { upperLayer, mounts: await stoppedMounts(row, host) });
}

/** A running container's root as the host has it mounted, or the same as an overlay; without volumes in both cases. */
export async function rootView(row: ContainerRow, host: ContainerHost): Promise<View> {
  if (row.state === "removing") throw beingRemoved(row.name);
  const { bundle, rootfs } = containerPaths(host.root, row.id);
  const hasBundle = (await stat(bundle).catch(() => undefined)) !== undefined;
  if (hasBundle && (await isMounted(rootfs))) return { kind: "mounted", path: rootfs };
  return overlayView(row, host, { upperLayer: "shown", mounts: [] });
}

/** What the container's image has, without anything of its own. */
export async function imageView(row: ContainerRow, host: ContainerHost): Promise<View> {
  if (row.state === "removing") throw beingRemoved(row.name);
  return overlayView(row, host, { upperLayer: "left-out", mounts: [] });
}

/** Not only by its row: one whose end nobody has recorded yet has nothing to look into. */
export async function hasProcess(row: ContainerRow): Promise<boolean> {
  return isUp(row.state) && (await isRunning(row));
}

async function overlayView(
  row: ContainerRow,
  host: ContainerHost,
  { upperLayer, mounts }: Pick<OverlayView, "upperLayer" | "mounts">,
): Promise<OverlayView> {
  const { bundle } = containerPaths(host.root, row.id);
  const directories = rootfsDirectories(bundle);
  await mkdir(bundle, { recursive: true, mode: 0o711 });
  const shift = shiftOf(row.spec, host.remap);
  makeRootDirectories(neededDirectories(directories, row.layers, shift?.root));
  return {
    kind: "overlay",
    directories: { bundle, ...directories },
    layers: row.layers,
    layersDirectory: row.layers_directory,
    upperLayer,
    shift: shift && { usernsFd: shift.usernsFd, root: shift.root },
    isReadOnly: row.spec.readOnlyRootfs,
    mounts,
  };
}

async function stoppedMounts(row: ContainerRow, host: ContainerHost): Promise<ViewMount[]> {
  const given = (row.given?.mounts ?? []).flatMap(({ mount }) =>
    mount.kind === "tmpfs"
      ? []
      : [{ source: mount.source, target: inRoot(mount.target), isReadOnly: mount.isReadOnly }],
  );
  const taken = new Set(given.map(({ target }) => target));
  const files = (await hostFiles(row, host)).filter(({ target }) => !taken.has(target));
  return [...files, ...given].sort((a, b) => a.target.split("/").length - b.target.split("/").length);
}

/** The files that every container has of us, once it was started. */
async function hostFiles(row: ContainerRow, host: ContainerHost): Promise<ViewMount[]> {
  const { hosts, hostname, resolvConf } = containerPaths(host.root, row.id);
  const isReadOnly = row.spec.readOnlyRootfs;
  const files = [
    { source: hosts, target: "etc/hosts", isReadOnly },
    { source: hostname, target: "etc/hostname", isReadOnly },
    { source: resolvConf, target: "etc/resolv.conf", isReadOnly },
  ];
  const isThere = await Promise.all(files.map(({ source }) => stat(source).then(Boolean, () => false)));
  return files.filter((_, at) => isThere[at]);
}

function inRoot(target: string): BytePath {
  const clean = target.split("/").filter((part) => part !== "" && part !== ".");
  return Buffer.from(clean.join("/"), "utf8").toString("latin1");
}
