import { closeSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { bindUnmount, UnmountFlag } from "../../kit/linux/mount.ts";
import { readProcessStat } from "../../kit/linux/process-identity.ts";
import { hostRoot, isSameMapping, type UserMapping } from "../../kit/linux/user-mapping.ts";
import { openUserNamespace } from "../../kit/linux/user-namespace.ts";
import { userMappingOf } from "../../kit/userns-remap.ts";
import { containersDirectory } from "../paths.ts";
import {
  type MountFromLayers,
  mountRootfs,
  type OwnerShift,
  rootfsDirectories,
  unmountRootfs,
} from "../rootfs/overlay.ts";
import type { ContainerSpec } from "../spec/spec.ts";

/** The daemon's setting userns-remap, at work. */
export interface UserRemap extends OwnerShift, Disposable {
  readonly mapping: UserMapping;
}

/**
 * A user namespace of the mapping for mounts, tried with a mount as containers have it. Undefined: the setting is empty, and
 * nothing is done. Throws FAILED_PRECONDITION USERNS_REMAP_REFUSED, USERNS_REMAP_UNSUPPORTED.
 */
export async function openRemap(
  { usernsRemap, root, run }: { readonly usernsRemap: string; readonly root: string; readonly run: string },
  mountRoot: MountFromLayers,
): Promise<UserRemap | undefined> {
  const places = join(run, "layers");
  await clearPlaces(places);
  const mapping = await userMappingOf(usernsRemap);
  if (mapping === undefined) return undefined;
  await mkdir(places, { recursive: true, mode: 0o700 });
  await using undo = new AsyncDisposableStack();
  const usernsFd = openUserNamespace(mapping);
  undo.defer(() => closeSync(usernsFd));
  const shift = { usernsFd, root: hostRoot(mapping), place: join(places, String(process.pid)) };
  await tryMount(containersDirectory(root), shift, mountRoot);
  undo.move();
  return { mapping, ...shift, [Symbol.dispose]: () => closeSync(usernsFd) };
}

/** Layers that a service left mounted when it was killed in the middle of a mount. */
async function clearPlaces(places: string): Promise<void> {
  const unmount = bindUnmount();
  for (const pid of await readdir(places).catch(() => [])) {
    if (await isAlive(Number(pid))) continue;
    while (await unmount(join(places, pid), UnmountFlag.lazy));
    await rmdir(join(places, pid)).catch(() => {}); // another replica may have been faster
  }
}

async function isAlive(pid: number): Promise<boolean> {
  return pid !== process.pid && (await readProcessStat(pid)) !== undefined;
}

async function tryMount(parent: string, shift: OwnerShift, mountRoot: MountFromLayers): Promise<void> {
  const directory = await mkdtemp(join(parent, ".remap-"));
  const directories = rootfsDirectories(directory);
  try {
    const layer = join(directory, "layer");
    await mkdir(layer);
    await mountRootfs({ directories, layers: [layer], isVolatile: true, shift }, mountRoot);
  } catch (cause) {
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "USERNS_REMAP_UNSUPPORTED",
      what: "mount images with shifted owners (userns-remap)",
      why: `this kernel, or the file system of ${parent}, has no idmapped mounts below an overlay`,
      fix: "use Linux 5.19 or newer with ext4, xfs or btrfs there, or leave userns-remap out",
      cause,
    });
  } finally {
    await unmountRootfs(directories);
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * How owners are shifted for this container; undefined: they are not. What it wrote belongs to the ids of its own mapping,
 * so it runs only where the daemon still has that one. Throws FAILED_PRECONDITION USERNS_REMAP_CHANGED.
 */
export function shiftOf(
  { name, userMapping }: Pick<ContainerSpec, "name" | "userMapping">,
  remap: UserRemap | undefined,
): UserRemap | undefined {
  if (userMapping === undefined) return undefined;
  if (remap !== undefined && isSameMapping(userMapping, remap.mapping)) return remap;
  throw remapChanged(name, "it was created with another, and its files belong to the ids of that one");
}

export function remapChanged(name: string, why: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "USERNS_REMAP_CHANGED",
    what: `use container ${name} with the daemon's userns-remap`,
    why,
    fix: "set it as it was and restart the daemon (ctld stop), or remove the container and create it anew",
  });
}
