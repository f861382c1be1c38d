import { bindMount, MountFlag } from "./mount.ts";
import { mountOf, readMountinfo } from "./mountinfo.ts";

/**
 * Sees to it that what is mounted below this directory is seen in mount namespaces made later, and the other way round:
 * where `/` is private (a container, a host without systemd) the directory is bound on itself, with what is mounted below, and made shared. To be
 * done before the first such namespace is made. Idempotent; the mount outlives this process, as those below it do.
 */
export async function shareMount(directory: string): Promise<void> {
  const around = mountOf(await readMountinfo(), directory);
  if (around?.propagation.includes("shared")) return;
  const mount = bindMount();
  if (around?.mountPoint !== directory)
    mount({ source: directory, target: directory, flags: MountFlag.bind | MountFlag.recursive });
  mount({ source: "none", target: directory, flags: MountFlag.shared | MountFlag.recursive });
}
