import { join } from "node:path";
import { hostFilePaths } from "./bundle/config.ts";

/** Everything that one container has on this host lies below one directory. */
export interface ContainerPaths {
  /** The bundle: config.json, conmon's sockets and FIFOs, the files below. */
  readonly bundle: string;
  /** Where its root is mounted. */
  readonly rootfs: string;
  /** overlayfs's upper and work directories. */
  readonly upper: string;
  readonly work: string;
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
    rootfs: join(bundle, "rootfs"),
    upper: join(bundle, "upper"),
    work: join(bundle, "work"),
    log: join(bundle, "container.log"),
    ...hostFilePaths(bundle),
  };
}
