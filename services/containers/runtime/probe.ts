import { randomBytes } from "node:crypto";
import { lstat, mkdir, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { deadline, within } from "../../kit/deadlines.ts";
import { CtlError, isCtlError } from "../../kit/errors.ts";
import { configText } from "../bundle/bundle.ts";
import { capabilitiesOf, processCapabilities } from "../bundle/capabilities.ts";
import { devicesOf } from "../bundle/devices.ts";
import type { HostFacts } from "../bundle/host-facts.ts";
import type { OciConfig, OciMount, OciResources } from "../bundle/oci-config.ts";
import { resolveSeccomp } from "../bundle/seccomp.ts";
import type { CgroupLayout } from "../cgroups/layout.ts";
import { type CgroupParent, parentPath, removeCgroups } from "../cgroups/placement.ts";
import { Exits } from "../exits/exit-files.ts";
import type { ContainerId } from "../spec/spec.ts";
import { createRun } from "./conmon.ts";
import { deleteRun, type OciRuntime, type RuntimeKind, runtimeId } from "./oci-runtime.ts";
import type { Programs } from "./programs.ts";
import { releaseRun } from "./release.ts";

const PROBE_MS = 10_000;
/** Enough of a host for its /bin/true to run in a container. */
const HOST_DIRECTORIES = ["/usr", "/bin", "/lib", "/lib64"] as const;

export interface RuntimeCandidate {
  readonly kind: RuntimeKind;
  readonly path: string;
}

export const USUAL_RUNTIMES: readonly RuntimeCandidate[] = [
  { kind: "crun", path: "/usr/bin/crun" },
  { kind: "runc", path: "/usr/sbin/runc" },
  { kind: "runc", path: "/usr/bin/runc" },
];

export interface ProbeRequest {
  readonly candidates: readonly RuntimeCandidate[];
  readonly conmonPath: string;
  readonly programs: Programs;
  readonly facts: HostFacts;
  readonly layout: CgroupLayout;
  readonly cgroupParent: CgroupParent;
  readonly stateRoot: string;
  /**
   * Below the shared root, where containers have their directories: the probe's is named like one, and so is its cgroup,
   * so that what a kill leaves of it is found as a container's would be.
   */
  readonly containersDirectory: string;
}

/**
 * The first runtime that runs a real container here: created by conmon, released, ended with 0, removed. It also
 * shows whether releasing by FIFO works, and leaves the default seccomp filter compiled in crun's cache. 50 to 150 ms.
 * Throws FAILED_PRECONDITION RUNTIME_MISSING.
 */
export async function probeRuntime(request: ProbeRequest, signal: AbortSignal): Promise<OciRuntime> {
  const failures: string[] = [];
  for (const candidate of request.candidates) {
    const version = await versionOf(request, candidate, signal);
    if (version === undefined) continue;
    for (const releasesByFifo of [true, false]) {
      const runtime = { ...candidate, version, stateRoot: request.stateRoot, releasesByFifo };
      const failure = await tryRuntime(request, runtime, within(signal, PROBE_MS, `try ${candidate.path}`));
      if (failure === undefined) return runtime;
      failures.push(`${candidate.path}: ${failure}`);
    }
  }
  throw new CtlError("FAILED_PRECONDITION", {
    reason: "RUNTIME_MISSING",
    what: "find a container runtime that works on this host",
    why: failures.length === 0 ? "none is installed" : failures.join("; "),
    fix: "install crun or runc, and conmon",
  });
}

async function versionOf(
  { programs }: ProbeRequest,
  { path }: RuntimeCandidate,
  signal: AbortSignal,
): Promise<string | undefined> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  const { exitCode, output } = await programs.run({ path, args: ["--version"] }, signal);
  return exitCode === 0 ? (/version (\S+)/.exec(output)?.[1] ?? "unknown") : undefined;
}

/** Undefined: it works. Else why not. */
async function tryRuntime(
  request: ProbeRequest,
  runtime: OciRuntime,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { layout, cgroupParent, programs } = request;
  // of its own: two replicas that start at once would take each other's container down, and think the runtime broken
  const id = randomBytes(32).toString("hex") as ContainerId;
  const workDirectory = join(request.containersDirectory, id);
  const cgroupsPath = `${parentPath(cgroupParent)}/${id}`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(workDirectory, { recursive: true, force: true }));
  undo.defer(() => void removeCgroups(layout, [cgroupsPath]));
  undo.defer(async () => void (await deleteQuietly({ programs, runtime }, id)));
  try {
    await writeProbeBundle(request, workDirectory, cgroupsPath);
    const exitCode = await runProbe({ ...request, workDirectory, id }, runtime, signal);
    return exitCode === 0 ? undefined : `its first container ended with ${exitCode}`;
  } catch (error) {
    if (isCtlError(error)) return error.why;
    throw error;
  }
}

async function runProbe(
  request: ProbeRequest & { readonly workDirectory: string; readonly id: ContainerId },
  runtime: OciRuntime,
  signal: AbortSignal,
): Promise<number> {
  const { workDirectory, id, programs, conmonPath, facts } = request;
  using exits = await Exits.open(join(workDirectory, "exits"), () => workDirectory);
  const name = runtimeId(id, 1);
  const monitorRequest = {
    runtimeId: name,
    bundlePath: workDirectory,
    logPath: join(workDirectory, "log"),
    exitsDirectory: join(workDirectory, "exits"),
    terminal: false,
    stdin: false,
    leaveStdinOpen: false,
    place: undefined,
  };
  await createRun({ conmonPath, runtime, programs, facts }, monitorRequest, signal);
  await releaseRun({ programs, runtime }, name, signal);
  return (await exits.ended(id, 1, signal)).exitCode;
}

async function deleteQuietly(on: { programs: Programs; runtime: OciRuntime }, id: ContainerId): Promise<void> {
  const signal = deadline(PROBE_MS, "remove the probe's container");
  try {
    await deleteRun(on, runtimeId(id, 1), { force: true }, signal);
  } catch (error) {
    // a runtime that does not work may fail here too, and left nothing then
    if (!isCtlError(error)) throw error;
  }
}

async function writeProbeBundle(request: ProbeRequest, bundlePath: string, cgroupsPath: string): Promise<void> {
  const rootfs = join(bundlePath, "rootfs");
  await mkdir(rootfs, { recursive: true });
  const mounts: OciMount[] = [];
  for (const directory of HOST_DIRECTORIES) {
    const stats = await lstat(directory).catch(() => undefined);
    if (stats?.isSymbolicLink()) await symlink(await readlink(directory), join(rootfs, directory));
    else if (stats?.isDirectory()) mounts.push(readOnlyBind(directory));
  }
  const { facts } = request;
  // crun 1.8 needs CAP_SYS_RESOURCE for v2's device rules: a host without it must show here
  const { rules } = await devicesOf({ devices: [], privileged: false });
  const config = probeConfig({ bundlePath, rootfs, mounts, cgroupsPath, facts, resources: { devices: rules } });
  await writeFile(join(bundlePath, "config.json"), configText(config));
}

function readOnlyBind(directory: string): OciMount {
  return { destination: directory, type: "bind", source: directory, options: ["rbind", "ro", "rprivate"] };
}

function probeConfig(parts: {
  bundlePath: string;
  rootfs: string;
  mounts: readonly OciMount[];
  cgroupsPath: string;
  facts: HostFacts;
  resources: OciResources;
}): OciConfig {
  const { bundlePath, rootfs, mounts, cgroupsPath, facts, resources } = parts;
  const capabilities = capabilitiesOf({ capAdd: [], capDrop: [], privileged: false }, facts.capabilities);
  const { arch, kernel, seccompProfile, hasSeccomp } = facts;
  const seccomp = hasSeccomp ? resolveSeccomp(seccompProfile, { capabilities, arch, kernel }) : undefined;
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["/bin/true"],
      env: ["PATH=/usr/bin:/bin"],
      cwd: "/",
      capabilities: processCapabilities(capabilities, 0),
      noNewPrivileges: true,
    },
    annotations: seccomp === undefined ? {} : facts.filters.annotationsFor(bundlePath, seccomp),
    root: { path: rootfs, readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] },
      ...mounts,
    ],
    linux: {
      namespaces: [{ type: "mount" }, { type: "pid" }, { type: "ipc" }, { type: "uts" }],
      resources,
      cgroupsPath,
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
}
