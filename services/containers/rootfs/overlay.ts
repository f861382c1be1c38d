import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { isErrno, syscallFailure } from "../../kit/linux/libc.ts";
import { bindUnmount, UnmountFlag } from "../../kit/linux/mount.ts";
import type { RootMount, ShiftedRoot } from "./mount-root.ts";

/** mount(2) copies at most one page of options, the closing zero among it. */
const MOST_OPTION_BYTES = 4095;
const REASONABLE_BUSY_MS = 500;
const BUSY_LOOK_MS = 10;

export interface RootfsDirectories {
  /** The container's writable layer; the kernel wants upper and work on one file system. */
  readonly upper: string;
  readonly work: string;
  /** Where the whole is mounted. */
  readonly merged: string;
}

export function rootfsDirectories(containerDirectory: string): RootfsDirectories {
  return {
    upper: join(containerDirectory, "upper"),
    work: join(containerDirectory, "work"),
    merged: join(containerDirectory, "rootfs"),
  };
}

export interface OverlayRequest {
  readonly directories: RootfsDirectories;
  /** From the base upwards, relative to the mounting thread's cwd: `l/3f`. */
  readonly layers: readonly string[];
  /** Never wait for the disk: for a container that does not outlive a power cut anyway (`--rm`). */
  readonly isVolatile: boolean;
  /** Undefined: files belong to whom the layers say. */
  readonly shift?: OwnerShift | undefined;
}

/** Of a container with a user namespace. */
export interface OwnerShift {
  /** Of a user namespace with the container's mapping, open in this process. */
  readonly usernsFd: number;
  /** A directory of this process's own, where the layers are while an overlay is mounted. */
  readonly place: string;
  /** The host's ids of the container's root. */
  readonly root: { readonly uid: number; readonly gid: number };
}

/** By the thread whose cwd the layers are relative to. */
export type MountFromLayers = (request: RootMount) => Promise<void>;

/**
 * Makes a container's directories and mounts its root. Idempotent: when it is mounted already, that is the answer. 0.7 ms.
 * Throws FAILED_PRECONDITION ROOTFS_TOO_MANY_LAYERS, ROOTFS_LAYER_MISSING; INTERNAL SYSCALL_REFUSED.
 */
export async function mountRootfs(request: OverlayRequest, mountRoot: MountFromLayers): Promise<void> {
  const { directories, layers, shift } = request;
  const options = overlayOptions(request);
  const mount = { source: "overlay", target: directories.merged, type: "overlay", options };
  // an empty lower directory shows nothing whose owner could be wrong
  const shifted = shift === undefined || layers.length === 0 ? {} : { shift: shiftedRoot(request, shift) };
  try {
    await mountRoot({ ...neededDirectories(directories, layers, shift?.root), mount, ...shifted });
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw layerMissing(request, error);
    throw syscallFailure(error, `mount the root file system of a container at ${directories.merged}`);
  }
}

/** Overlay's options, see the kernel's Documentation/filesystems/overlayfs.rst. */
export function overlayOptions({ directories, layers, isVolatile }: OverlayRequest): string {
  const lower = layers.length === 0 ? emptyLower(directories.work) : layers.toReversed().join(":");
  const text = `lowerdir=${lower},${upperOptions({ directories, isVolatile }).options}`;
  if (Buffer.byteLength(text) <= MOST_OPTION_BYTES) return text;
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "ROOTFS_TOO_MANY_LAYERS",
    what: "mount the root file system of a container",
    why: `the names of its ${layers.length} layers take ${Buffer.byteLength(text)} bytes, the kernel reads ${MOST_OPTION_BYTES}`,
    fix: "use an image with fewer layers",
  });
}

function shiftedRoot(request: OverlayRequest, { usernsFd, place }: OwnerShift): ShiftedRoot {
  return { layers: request.layers, usernsFd, place, ...upperOptions(request) };
}

function upperOptions({ directories, isVolatile }: Pick<OverlayRequest, "directories" | "isVolatile">) {
  const options = [`upperdir=${directories.upper}`, `workdir=${directories.work}`, "index=off"];
  return { options: [...options, ...(isVolatile ? ["volatile"] : [])].join(",") };
}

/**
 * Unmounts a container's root; false when it was not mounted. A process that is just ending may keep it busy for a
 * moment; after half a second of that the mount is detached, and ends with whoever holds it.
 */
export async function unmountRootfs(directories: RootfsDirectories): Promise<{ changed: boolean; detached: boolean }> {
  const unmount = bindUnmount();
  const giveUpAt = performance.now() + REASONABLE_BUSY_MS;
  for (;;) {
    try {
      return { changed: await unmount(directories.merged), detached: false };
    } catch (error) {
      if (!isErrno(error, "EBUSY")) throw syscallFailure(error, `unmount ${directories.merged}`);
      if (performance.now() > giveUpAt) break;
      await new Promise((resolve) => setTimeout(resolve, BUSY_LOOK_MS));
    }
  }
  return { changed: await unmount(directories.merged, UnmountFlag.lazy), detached: true };
}

/** By the device number, which an overlay has for itself: two stats, where mountinfo grows with every container. */
export async function isMounted(path: string): Promise<boolean> {
  const [own, parent] = await Promise.all([path, dirname(path)].map((one) => stat(one).catch(() => undefined)));
  return own !== undefined && own.dev !== parent?.dev;
}

/** What a mount of the root needs to be there: the container's own directory, upper and work, where it is mounted. */
export function neededDirectories(
  { upper, work, merged }: RootfsDirectories,
  layers: readonly string[],
  owner?: OwnerShift["root"],
): Omit<RootMount, "mount" | "shift"> {
  return {
    directories: [
      { path: dirname(merged), mode: 0o711 },
      // its top is the root directory that the container sees
      { path: upper, mode: 0o755, ...(owner === undefined ? {} : { owner }) },
      { path: work, mode: 0o700 },
      { path: merged, mode: 0o700 },
      ...(layers.length === 0 ? [{ path: emptyLower(work), mode: 0o755 }] : []),
    ],
    volatileMark: join(work, "work", "incompat"),
  };
}

/** An image of no layers (`FROM scratch`) still needs a lower directory. */
function emptyLower(work: string): string {
  return join(work, "..", "empty");
}

function layerMissing({ layers }: OverlayRequest, cause: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "ROOTFS_LAYER_MISSING",
    what: "mount the root file system of a container",
    why: `one of its ${layers.length} layers is not on this host`,
    fix: "pull the image again",
    cause,
  });
}
