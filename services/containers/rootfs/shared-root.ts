import { mkdir } from "node:fs/promises";
import { bindMount, bindUnmount, MountFlag } from "../../kit/linux/mount.ts";
import { readMountinfo } from "../../kit/linux/mountinfo.ts";

/**
 * Makes the directory that holds containers' roots a mount of its own and shared, before anything is mounted below it
 * and before the host thread leaves the host's mount namespace: a host's `/` may be private, and what is mounted here
 * must be seen there. Idempotent; it outlives this process on purpose, as the mounts below it do.
 */
export async function shareRoot(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const mount = bindMount();
  const own = (await readMountinfo()).findLast(({ mountPoint }) => mountPoint === directory);
  if (own === undefined) mount({ source: directory, target: directory, flags: MountFlag.bind });
  if (own?.propagation.includes("shared")) return;
  mount({ source: "none", target: directory, flags: MountFlag.shared | MountFlag.recursive });
}

/** Takes that mount down when the whole engine leaves the host (`ctld purge`, tests). Mounts below must be gone. */
export async function unshareRoot(directory: string): Promise<boolean> {
  return bindUnmount()(directory);
}
