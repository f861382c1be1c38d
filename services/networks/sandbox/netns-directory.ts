import { mkdir } from "node:fs/promises";
import { bindMount, MountFlag } from "../../kit/linux/mount.ts";
import { readMountinfo } from "../../kit/linux/mountinfo.ts";

/**
 * Makes the directory of the namespaces' mounts a mount of its own and shared, as ip-netns(8) does with /run/netns: on a
 * host whose `/` is private, whoever takes a mount namespace of its own (a container's monitor) would keep a copy of each
 * mount there, and with it a namespace and its links alive after we have let go (seen). Idempotent; it stays on the host.
 */
export async function shareNetnsDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const mount = bindMount();
  const own = (await readMountinfo()).findLast(({ mountPoint }) => mountPoint === directory);
  if (own?.propagation === "shared") return;
  if (own === undefined) mount({ source: directory, target: directory, flags: MountFlag.bind });
  mount({ source: "none", target: directory, flags: MountFlag.shared });
}
