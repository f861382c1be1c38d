import { close, constants, open } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CtlError } from "../../kit/errors.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import { bindMount, bindUnmount, MountFlag, UnmountFlag } from "../../kit/linux/mount.ts";
import { type Openat2, OpenFlag, Resolve } from "../../kit/linux/openat2.ts";
import { hostRoot, type UserMapping } from "../../kit/linux/user-mapping.ts";
import type { ContainerPaths } from "../paths.ts";
import type { ContainerMount, ContainerSpec } from "../spec/spec.ts";
import type { Given } from "./given.ts";

const openAsync = promisify(open);
const closeAsync = promisify(close);
const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** Mounts of the host that a container has beside its root: its shared memory where others may join, parts of volumes. */
function directoryOf(bundlePath: string): string {
  return join(bundlePath, "mounts");
}

/** Where a container's /dev/shm is on the host, when it is `--ipc shareable`. */
export function shmPath(bundlePath: string): string {
  return join(directoryOf(bundlePath), "shm");
}

/**
 * The mounts of a run as its runtime shall make them; what lies below `mounts` in the bundle is made here. Done again, it
 * answers the same. Throws INVALID_ARGUMENT SUBPATH_MISSING.
 */
export async function bundleMounts(
  { bundle }: Pick<ContainerPaths, "bundle">,
  { namespaces, shmSizeBytes, userMapping }: Pick<ContainerSpec, "namespaces" | "shmSizeBytes" | "userMapping">,
  given: Pick<Given, "mounts">,
  openat2: Openat2,
): Promise<ContainerMount[]> {
  if (namespaces.ipc === "shareable") await mountShm(bundle, shmSizeBytes || DEFAULT_SHM_BYTES, userMapping);
  const mounts: ContainerMount[] = [];
  for (const [index, { mount }] of given.mounts.entries()) {
    const isPart = mount.kind === "volume" && mount.subpath !== undefined;
    mounts.push(isPart ? await mountPart(mount, join(directoryOf(bundle), `part-${index}`), openat2) : mount);
  }
  return mounts;
}

/** Takes them down; what was in a shared memory is gone. Idempotent. */
export async function takeDownBundleMounts(bundlePath: string): Promise<void> {
  const directory = directoryOf(bundlePath);
  const names = await readdir(directory).catch(() => []);
  if (names.length === 0) return;
  for (const name of names) await unmountAll(join(directory, name));
  await rm(directory, { recursive: true, force: true });
}

/** Lazily: a container that joined it may run on. */
async function unmountAll(target: string): Promise<void> {
  const unmount = bindUnmount();
  while (await unmount(target, UnmountFlag.lazy));
}

async function mountShm(bundle: string, sizeBytes: number, mapping: UserMapping | undefined): Promise<void> {
  const target = shmPath(bundle);
  await mkdir(target, { recursive: true, mode: 0o711 });
  if (await isMounted(target, directoryOf(bundle))) return;
  const root = mapping === undefined ? undefined : hostRoot(mapping);
  const owner = root === undefined ? "" : `,uid=${root.uid},gid=${root.gid}`;
  const options = `mode=1777,size=${sizeBytes}${owner}`;
  const flags = MountFlag.noSuid | MountFlag.noDev | MountFlag.noExec;
  bindMount()({ source: "shm", target, type: "tmpfs", flags, options });
}

/**
 * A part of a volume is opened without leaving the volume, and what was opened is mounted: a container that has the whole
 * volume can put a symlink in the path's place at any moment, and a path that is looked up again would follow it out.
 */
async function mountPart(
  mount: ContainerMount & { kind: "bind" | "volume" },
  target: string,
  openat2: Openat2,
): Promise<ContainerMount> {
  const { subpath = "", ...whole } = mount;
  const top = await openAsync(mount.source, constants.O_DIRECTORY | constants.O_RDONLY);
  try {
    const part = openat2(top, subpath, { flags: OpenFlag.path, resolve: Resolve.beneath | Resolve.noMagicLinks });
    try {
      const source = `/proc/self/fd/${part}`;
      await makeTarget(target, (await stat(source)).isDirectory());
      await unmountAll(target); // an earlier run's, when a policy starts it again
      bindMount()({ source, target, flags: MountFlag.bind });
    } finally {
      await closeAsync(part);
    }
  } catch (cause) {
    if (isErrno(cause, "ENOENT", "ENOTDIR", "ELOOP", "EXDEV")) throw partMissing(mount.target, subpath, cause);
    throw cause;
  } finally {
    await closeAsync(top);
  }
  return { ...whole, source: target };
}

async function makeTarget(target: string, isDirectory: boolean): Promise<void> {
  await mkdir(isDirectory ? target : join(target, ".."), { recursive: true, mode: 0o711 });
  if (!isDirectory) await writeFile(target, "");
}

async function isMounted(path: string, parent: string): Promise<boolean> {
  return (await stat(path)).dev !== (await stat(parent)).dev;
}

function partMissing(target: string, subpath: string, cause: unknown): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "SUBPATH_MISSING",
    what: `mount "${subpath}" of a volume at ${target}`,
    why: `cannot access path ${subpath}: no such file or directory within the volume`,
    fix: "make it in the volume first",
    cause,
  });
}
