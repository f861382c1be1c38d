import { join } from "node:path";
import { hostFilePaths } from "./bundle/config.ts";
import { rootfsDirectories } from "./rootfs/overlay.ts";

/** Everything that one container has on this host lies below one directory. */
export interface ContainerPaths {
  /** The bundle: config.json, conmon's sockets and FIFOs, the files below. */
  readonly bundle: string;
  /** Where its root is mounted. */
  readonly rootfs: string;
  /** Its output, in conmon's format. */
  readonly log: string;
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
}

export function containersDirectory(root: string): string {
  return join(root, "containers");
}

export function containerPaths(root: string, id: string): ContainerPaths {
  const bundle = join(containersDirectory(root), id);
  return {
    bundle,
    rootfs: rootfsDirectories(bundle).merged,
    log: join(bundle, "container.log"),
    ...hostFilePaths(bundle),
  };
}
