import { rm } from "node:fs/promises";
import { inSpan } from "../../kit/telemetry/trace.ts";
import { containerCgroups, removeCgroups } from "../cgroups/placement.ts";
import type { ContainerHost } from "../host/host.ts";
import { containerPaths } from "../paths.ts";
import { removeRootfs, rootfsDirectories, unmountRootfs } from "../rootfs/overlay.ts";
import { runtimeOfRun } from "../runtime/known-run.ts";
import { deleteRun, runtimeId } from "../runtime/oci-runtime.ts";
import type { ContainerId } from "../spec/spec.ts";

/** What a run has in the runtime and in the cgroups. Idempotent; a process that is still there is killed. */
export async function takeDownRun(id: string, run: number, host: ContainerHost, signal: AbortSignal): Promise<void> {
  const name = runtimeId(id, run);
  const runtime = await runtimeOfRun(host.runtime, name);
  await inSpan("runtime.delete", {}, () => deleteRun({ ...host, runtime }, name, { force: true }, signal));
  await removeCgroups(host.layout, containerCgroups(host.cgroupParent, id as ContainerId).all);
}

/** The mounted root of a container that does not run; what was written to it stays. Idempotent. */
export async function takeDownRootfs(id: string, host: ContainerHost): Promise<void> {
  await inSpan("rootfs.unmount", {}, () => unmountRootfs(rootfsDirectories(containerPaths(host.root, id).bundle)));
}

/** All that a container has on this host, its writable layer and its log too. Idempotent. */
export async function takeDownAll(id: string, run: number, host: ContainerHost, signal: AbortSignal): Promise<void> {
  const { bundle } = containerPaths(host.root, id);
  await takeDownRun(id, run, host, signal);
  await takeDownRootfs(id, host);
  await removeRootfs(rootfsDirectories(bundle));
  await rm(bundle, { recursive: true, force: true });
}
