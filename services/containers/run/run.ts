import { existsSync, fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { Descriptor } from "../../kit/linux/descriptor.ts";
import { readProcessStat } from "../../kit/linux/process-identity.ts";
import { openOwner } from "../../kit/linux/user-namespace.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import { writeBundle } from "../bundle/bundle.ts";
import { sharedNetworkPath } from "../bundle/namespaces.ts";
import type { OciConfig } from "../bundle/oci-config.ts";
import { linuxResources } from "../cgroups/limits.ts";
import { containerCgroups, enterMonitorCgroup } from "../cgroups/placement.ts";
import type { ContainerHost } from "../host/host.ts";
import { remapChanged } from "../host/remap.ts";
import { containerPaths } from "../paths.ts";
import { checkProgram } from "../program/check.ts";
import { runtimeNamed } from "../runtime/choose.ts";
import { createRun } from "../runtime/conmon.ts";
import { stateRoots } from "../runtime/known-run.ts";
import { runtimeId } from "../runtime/oci-runtime.ts";
import { releaseRun } from "../runtime/release.ts";
import type { ContainerId, ContainerSpec, ImageDefaults } from "../spec/spec.ts";
import { takeKeptSize } from "../streams/terminal-size.ts";
import { bundleMounts, shmPath } from "./bundle-mounts.ts";
import { addressesOf, type Given } from "./given.ts";
import type { Others } from "./others.ts";
import { deleteKnownRun, takeDownRun } from "./take-down.ts";

export interface RunWish {
  readonly id: ContainerId;
  /** Counts up from 1. */
  readonly run: number;
  readonly spec: ContainerSpec;
  readonly image: ImageDefaults;
  readonly given: Given;
  readonly others: Others;
}

export interface StartedRun {
  readonly pid: number;
  readonly startTicks: number;
  readonly startedAt: Date;
}

/**
 * Starts one run of a container whose root is mounted: bundle, conmon with the runtime's create, release.  On failure nothing of it stays.
 * Throws what the bundle and the runtime throw: COMMAND_NOT_FOUND, RUNTIME_REFUSED …
 */
export async function startRun(wish: RunWish, host: ContainerHost, signal: AbortSignal): Promise<StartedRun> {
  const name = runtimeId(wish.id, wish.run);
  host.migration?.expect(wish.id, EXPECTED_START_MS);
  using userns = openUserns(wish);
  const usernsPath = userns === undefined ? undefined : `/proc/${process.pid}/fd/${userns.fd}`;
  await inSpan("bundle.write", {}, async () => checkProgram(await prepareBundle(wish, usernsPath, host), host.openat2));
  const runtime = await runtimeNamed(wish.spec.runtime ?? "", host);
  if (wish.given.mounts.some(({ mount }) => mount.kind !== "tmpfs")) await host.thread.seeHostMounts();
  try {
    const pid = await inSpan("runtime.create", { attributes: { [attribute.containerId]: wish.id } }, () =>
      createRun({ ...host, runtime }, monitorRequest(wish, name, host), signal),
    );
    host.migration?.over(wish.id);
    const identity = await readProcessStat(pid);
    const startedAt = new Date();
    await inSpan("runtime.start", {}, () => releaseRun({ ...host, runtime }, name, signal));
    return { pid, startTicks: identity?.startTicks ?? 0, startedAt };
  } catch (error) {
    await deleteKnownRun(wish.id, wish.run, host, AbortSignal.timeout(CLEANUP_TIMEOUT_MS)).catch(() => {});
    throw error;
  }
}

const EXPECTED_START_MS = 200;
const CLEANUP_TIMEOUT_MS = 10_000;

/**
 * The number of the next run. A service that died between the runtime's create and the row leaves a run that nobody
 * knows: it is taken down, and its number is not used again, since its exit is still to be seen.
 */
export async function nextRunNumber(
  id: string,
  last: number,
  host: ContainerHost,
  signal: AbortSignal,
): Promise<number> {
  for (let run = last + 1; ; run++) {
    const name = runtimeId(id, run);
    // in this thread: the kernel has both directories at hand, and answers in 5 µs
    const hasState = stateRoots(host).some((root) => existsSync(join(root, name)));
    if (!hasState && !existsSync(join(host.exitsDirectory, name))) return run;
    if (hasState) await takeDownRun(id, run, host, signal);
  }
}

/**
 * The user namespace that the container's network namespace was made in: it joins that one, held open until the runtime has.
 * One that belongs to the host is of a daemon with another setting. Throws FAILED_PRECONDITION USERNS_REMAP_CHANGED.
 */
function openUserns({ spec, given: { netnsPath } }: RunWish): Descriptor | undefined {
  if (spec.userMapping === undefined) return undefined;
  const owner = new Descriptor(openOwner(netnsPath));
  if (fstatSync(owner.fd).ino !== statSync("/proc/self/ns/user").ino) return owner;
  owner[Symbol.dispose]();
  throw remapChanged(spec.name, "its network namespace was made by a service without it");
}

async function prepareBundle(
  { id, spec, image, given, others }: RunWish,
  usernsPath: string | undefined,
  host: ContainerHost,
): Promise<OciConfig> {
  const paths = containerPaths(host.root, id);
  const { resources } = linuxResources(spec.resources, host.limits);
  const terminalSize = spec.tty ? await takeKeptSize(paths.bundle) : undefined;
  return writeBundle(
    {
      id,
      spec,
      terminalSize,
      image,
      bundlePath: paths.bundle,
      rootfsPath: paths.rootfs,
      cgroupsPath: containerCgroups(host.cgroupParent, id, spec.cgroupParent).payload,
      isCgroupV2: host.layout.mode === "v2",
      resources,
      netnsPath: sharedNetworkPath(spec.namespaces, others) ?? (given.netnsPath || undefined),
      mounts: await bundleMounts(paths, spec, given, host.openat2),
      shmPath: shmPath(paths.bundle),
      usernsPath,
      others,
      initPath: host.initPath,
      cdiDirectories: host.cdiDirectories,
      addresses: given.endpoints.flatMap(addressesOf),
      hostGateway: given.endpoints[0]?.gateway ?? "",
      resolvConf: given.resolvConf,
    },
    host.facts,
    (files) => host.thread.writeBundle(files),
  );
}

function monitorRequest({ id, spec }: RunWish, name: string, host: ContainerHost) {
  const paths = containerPaths(host.root, id);
  const { monitor } = containerCgroups(host.cgroupParent, id);
  return {
    runtimeId: name,
    bundlePath: paths.bundle,
    logPath: paths.log,
    exitsDirectory: host.exitsDirectory,
    terminal: spec.tty,
    stdin: spec.openStdin,
    // a terminal is one for all clients: the first of them that leaves does not end it
    leaveStdinOpen: spec.openStdin && (!spec.stdinOnce || spec.tty),
    place: monitor === undefined ? undefined : (pid: number) => enterMonitorCgroup(host.layout, monitor, pid),
  };
}

/** The state of a run that should exist and does not. */
export function runGone(id: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_RUNNING",
    what: `reach the process of container ${id.slice(0, 12)}`,
    why: "it has ended",
    fix: `start it: ctl start ${id.slice(0, 12)}`,
  });
}
