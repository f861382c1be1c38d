import { lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { bindMount, MountFlag } from "../../kit/linux/mount.ts";
import { bindEnterNamespace, bindUnshare, NamespaceFlag } from "../../kit/linux/namespace.ts";
import { bindSpawns, type SpawnRequest } from "../../kit/linux/spawn.ts";
import { serveThread } from "../../kit/linux/thread-program.ts";
import { type BundleFiles, writeBundleFiles } from "../bundle/write-files.ts";
import { mountRoot, type RootMount } from "../rootfs/mount-root.ts";

/** Where the thread stands before it does anything else. */
export interface Standpoint {
  /** Relative names of mounts start here: 128 layers must fit into one page of options. */
  readonly cwd: string;
  /** On a host in hybrid cgroup mode: what to put over the v2 hierarchy, in this thread's own mount namespace. */
  readonly hybrid: HybridCover | undefined;
}

export interface HybridCover {
  /** `/sys/fs/cgroup/unified` */
  readonly unified: string;
  /** The directory that holds the hierarchies' mounts: `/sys/fs/cgroup`. */
  readonly parent: string;
  /** A v1 hierarchy's mount point. */
  readonly cover: string;
}

export type HostOperations = ReturnType<typeof hostOperations>;

const PROCESS_MOUNT_NAMESPACE = "/proc/self/ns/mnt";

/** All that this thread does: roots from a short cwd, bundles, and programs that see the cgroup mounts as it does. */
function hostOperations() {
  const libc = loadLibc();
  const chdir = libc.func("int chdir(const char *)");
  const unshare = bindUnshare();
  const enterNamespace = bindEnterNamespace();
  const mount = bindMount();
  const spawns = bindSpawns();
  const stand = ({ cwd, hybrid }: Standpoint) => {
    unshare(NamespaceFlag.fs);
    if (hybrid !== undefined) hideUnified(hybrid);
    if (chdir(cwd) !== 0) throw new SyscallError("chdir", lastErrno(), cwd);
  };

  /**
   * crun refuses hybrid mode but looks only at its own mount namespace. Only the directory above is made private, so
   * all other mounts go on passing both ways: containers' roots come in, what a container mounts in a shared volume
   * goes out. The v2 hierarchy is covered with a v1 one and not just unmounted: crun writes below that name whatever
   * lies there, and in the bare directory it would leave a file for each container.
   */
  const hideUnified = ({ unified, parent, cover }: HybridCover) => {
    unshare(NamespaceFlag.mount);
    mount({ source: "none", target: parent, flags: MountFlag.private });
    mount({ source: cover, target: unified, flags: MountFlag.bind });
  };

  return {
    stand,
    /**
     * Takes the mount namespace anew from the process's: a private mount that the host made since then (as on a host
     * whose `/` is private) would otherwise be missing in the containers started from here.
     */
    standAnew: (standpoint: Standpoint) => {
      enterNamespace(PROCESS_MOUNT_NAMESPACE, NamespaceFlag.mount);
      stand(standpoint);
    },
    mountRoot: (request: RootMount) => mountRoot(request, mount),
    writeBundle: (request: BundleFiles) => writeBundleFiles(request),
    spawn: (request: SpawnRequest) => spawns.spawn(request),
  };
}

serveThread(hostOperations());
