import { inSpan } from "../../kit/telemetry/trace.ts";
import { containerCgroups, removeCgroups } from "../cgroups/placement.ts";
import type { ContainerHost } from "../host/host.ts";
import { containerPaths } from "../paths.ts";
import { rootfsDirectories, unmountRootfs } from "../rootfs/overlay.ts";
import { forgetEndedRun } from "../runtime/forget.ts";
import { runtimeOfRun } from "../runtime/known-run.ts";
import { deleteRun, runtimeId } from "../runtime/oci-runtime.ts";
import type { ContainerId } from "../spec/spec.ts";
import { takeDownBundleMounts } from "./bundle-mounts.ts";

/** What the runtime that made a run has of it. Idempotent; a process that is still there is killed. */
export async function deleteKnownRun(id: string, run: number, host: ContainerHost, signal: AbortSignal): Promise<void> {
  const name = runtimeId(id, run);
  const runtime = await runtimeOfRun(host, name);
  await deleteRun({ ...host, runtime }, name, { force: true }, signal);
}

/** What a run has in the runtime and in the cgroups. Idempotent; a process that is still there is killed. */
export async function takeDownRun(id: string, run: number, host: ContainerHost, signal: AbortSignal): Promise<void> {
  const name = runtimeId(id, run);
  const { payload, all } = containerCgroups(host.cgroupParent, id as ContainerId);
  const runtime = await runtimeOfRun(host, name);
  await inSpan("runtime.delete", {}, async () => {
    const isForgotten = await forgetEndedRun(runtime, name, {
      payload,
      removePayload: () => removeCgroups(host.layout, [payload]),
      removeTree: host.removeTree,
    });
    if (!isForgotten) await deleteRun({ ...host, runtime }, name, { force: true }, signal);
    removeCgroups(host.layout, isForgotten ? all.filter((path) => path !== payload) : all);
  });
}

/** The mounts of a container that does not run; what was written to its root stays. Idempotent. */
export async function takeDownRootfs(id: string, host: ContainerHost): Promise<void> {
  const { bundle } = containerPaths(host.root, id);
  // the root last: as long as it is mounted a reconcile comes back for the rest
  await takeDownBundleMounts(bundle);
  await inSpan("rootfs.unmount", {}, () => unmountRootfs(rootfsDirectories(bundle)));
}

/** All that a container has on this host, its writable layer and its log too. Idempotent. */
export async function takeDownAll(id: string, run: number, host: ContainerHost, signal: AbortSignal): Promise<void> {
  const { bundle } = containerPaths(host.root, id);
  await takeDownRun(id, run, host, signal);
  await takeDownRootfs(id, host);
  await host.removeTree(bundle);
}
