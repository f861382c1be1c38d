import { mountOf, readMountinfo } from "../../kit/linux/mountinfo.ts";
import type { SpawnRequest } from "../../kit/linux/spawn.ts";
import { HostThread } from "../../kit/linux/thread.ts";
import type { BundleFiles } from "../bundle/write-files.ts";
import type { CgroupLayout } from "../cgroups/layout.ts";
import type { RootMount } from "../rootfs/mount-root.ts";
import type { HostOperations, HybridCover, Standpoint } from "./host.thread.ts";

/**
 * The containers service's one thread that leaves the process's cwd and, on a host in hybrid cgroup mode, its mount
 * namespace: it mounts roots from layers, writes bundles, and starts conmon and the runtime. Start it after `shareRoot`.
 */
export class ContainerThread implements AsyncDisposable {
  readonly #thread: HostThread<HostOperations>;
  readonly #standpoint: Standpoint;

  private constructor(thread: HostThread<HostOperations>, standpoint: Standpoint) {
    this.#thread = thread;
    this.#standpoint = standpoint;
  }

  /** `layersDirectory` is what layer names are relative to. About 40 ms. */
  static async start(layout: CgroupLayout, layersDirectory: string, signal: AbortSignal): Promise<ContainerThread> {
    const thread = await HostThread.start<HostOperations>(
      { program: new URL("./host.thread.ts", import.meta.url), name: "ctl-containers-host" },
      signal,
    );
    const standpoint = { cwd: layersDirectory, hybrid: hybridCover(layout) };
    try {
      await thread.call("stand", standpoint);
    } catch (error) {
      await thread[Symbol.asyncDispose]();
      throw error;
    }
    return new ContainerThread(thread, standpoint);
  }

  mountRoot(request: RootMount): Promise<void> {
    return this.#thread.call("mountRoot", request);
  }

  writeBundle(request: BundleFiles): Promise<void> {
    return this.#thread.call("writeBundle", request);
  }

  spawn(request: SpawnRequest): Promise<number> {
    return this.#thread.call("spawn", request);
  }

  /**
   * Before a container with binds of the host starts: on a hybrid host whose `/` is private, mounts that the host made
   * since this thread started are not seen here until it looks anew (0.5 ms). Elsewhere nothing to do.
   */
  async seeHostMounts(): Promise<void> {
    if (this.#standpoint.hybrid === undefined) return;
    const root = mountOf(await readMountinfo(), "/");
    if (root?.propagation.includes("shared")) return;
    await this.#thread.call("standAnew", this.#standpoint);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}

function hybridCover(layout: CgroupLayout): HybridCover | undefined {
  const unified = layout.mode === "hybrid" ? layout.unified : undefined;
  const cover = layout.mode === "hybrid" ? layout.hierarchies[0] : undefined;
  if (unified === undefined || cover === undefined) return undefined;
  return { unified, parent: unified.slice(0, unified.lastIndexOf("/")), cover };
}
