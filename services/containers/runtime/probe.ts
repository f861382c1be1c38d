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
import { Exits } from "../exits.ts";
import { isContainerId } from "../spec.ts";
import { createRun } from "./conmon.ts";
import { deleteRun, type OciRuntime, type RuntimeKind, runtimeId } from "./oci-runtime.ts";
import type { Programs } from "./programs.ts";
import { releaseRun } from "./release.ts";

const PROBE_MS = 10_000;
const PROBE_ID = "0".repeat(64);
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
  /** A directory of the probe's own, below the shared root; gone afterwards. */
  readonly workDirectory: string;
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
  const { workDirectory, layout, cgroupParent, programs } = request;
  const cgroupsPath = `${parentPath(cgroupParent)}/probe`;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rm(workDirectory, { recursive: true, force: true }));
  undo.defer(async () => void (await removeCgroups(layout, [cgroupsPath])));
  undo.defer(async () => void (await deleteQuietly({ programs, runtime })));
  try {
    await writeProbeBundle(request, cgroupsPath);
    const exitCode = await runProbe(request, runtime, signal);
    return exitCode === 0 ? undefined : `its first container ended with ${exitCode}`;
  } catch (error) {
    if (isCtlError(error)) return error.why;
    throw error;
  }
}

async function runProbe(request: ProbeRequest, runtime: OciRuntime, signal: AbortSignal): Promise<number> {
  const { workDirectory, programs, conmonPath, facts } = request;
  using exits = await Exits.open(join(workDirectory, "exits"), () => workDirectory);
  const id = runtimeId(PROBE_ID, 1);
  const monitorRequest = {
    runtimeId: id,
    bundlePath: workDirectory,
    logPath: join(workDirectory, "log"),
    exitsDirectory: join(workDirectory, "exits"),
    terminal: false,
    stdin: false,
    leaveStdinOpen: false,
    place: undefined,
  };
  await createRun({ conmonPath, runtime, programs, facts }, monitorRequest, signal);
  await releaseRun({ programs, runtime }, id, signal);
  if (!isContainerId(PROBE_ID)) throw new TypeError("the probe's id is none");
  return (await exits.ended(PROBE_ID, 1, signal)).exitCode;
}

async function deleteQuietly(on: { programs: Programs; runtime: OciRuntime }): Promise<void> {
  const signal = deadline(PROBE_MS, "remove the probe's container");
  try {
    await deleteRun(on, runtimeId(PROBE_ID, 1), { force: true }, signal);
  } catch (error) {
    // a runtime that does not work may fail here too, and left nothing then
    if (!isCtlError(error)) throw error;
  }
}

async function writeProbeBundle(request: ProbeRequest, cgroupsPath: string): Promise<void> {
  const rootfs = join(request.workDirectory, "rootfs");
  await mkdir(rootfs, { recursive: true });
  const mounts: OciMount[] = [];
  for (const directory of HOST_DIRECTORIES) {
    const stats = await lstat(directory).catch(() => undefined);
    if (stats?.isSymbolicLink()) await symlink(await readlink(directory), join(rootfs, directory));
    else if (stats?.isDirectory()) mounts.push(readOnlyBind(directory));
  }
  const { workDirectory: bundlePath, facts } = request;
  // crun 1.8 needs CAP_SYS_RESOURCE for v2's device rules: a host without it must show here
  const { rules } = await devicesOf([], false);
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
