import { access, stat } from "node:fs/promises";
import { hostname as hostName } from "node:os";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { TerminalSize } from "../../kit/linux/pty.ts";
import { cdiNamesOf } from "../cdi/device-requests.ts";
import { findCdiDevices } from "../cdi/find-devices.ts";
import { injectDevices } from "../cdi/inject.ts";
import { parseSignal } from "../spec/signals.ts";
import {
  type ContainerId,
  type ContainerMount,
  type ContainerSpec,
  DEFAULT_STOP_TIMEOUT_S,
  type ImageDefaults,
} from "../spec/spec.ts";
import { apparmorProfile } from "./apparmor.ts";
import { capabilitiesOf, processCapabilities } from "./capabilities.ts";
import { commandOf } from "./command.ts";
import { devicesOf } from "./devices.ts";
import { environmentOf } from "./env.ts";
import type { HostFacts } from "./host-facts.ts";
import { isKernelAtLeast } from "./kernel.ts";
import { protectedPaths } from "./masked-paths.ts";
import { INIT_TARGET, mountsOf } from "./mounts.ts";
import { type JoinedContainer, type Namespaces, namespacesOf, networkSharer } from "./namespaces.ts";
import { consoleSize, type OciConfig, type OciProcess, type OciResources, type OciSeccomp } from "./oci-config.ts";
import { rlimitsOf } from "./rlimits.ts";
import { rootFiles } from "./root-files.ts";
import { parseSeccompProfile, resolveSeccomp } from "./seccomp.ts";
import { parseSecurityOptions, type SecurityOptions } from "./security-options.ts";
import { sysctlsOf } from "./sysctls.ts";
import { resolveUser } from "./user.ts";

/** Everything that a container's config.json is made of; the root is mounted already. */
export interface ConfigRequest {
  readonly id: ContainerId;
  readonly spec: ContainerSpec;
  /** Of the client's terminal that waits for it; undefined: the one in `spec`, if any. */
  readonly terminalSize?: TerminalSize | undefined;
  readonly image: ImageDefaults;
  readonly bundlePath: string;
  readonly rootfsPath: string;
  readonly cgroupsPath: string;
  readonly isCgroupV2: boolean;
  readonly resources: OciResources;
  /** Undefined: the host's network. */
  readonly netnsPath: string | undefined;
  readonly mounts: readonly ContainerMount[];
  readonly others: { readonly joined: ReadonlyMap<string, JoinedContainer> };
  /** Where its /dev/shm is on the host, if it is shareable. */
  readonly shmPath: string;
  /** The user namespace that its network namespace belongs to; undefined: the host's. */
  readonly usernsPath: string | undefined;
  readonly cdiDirectories: readonly string[];
  /** Host path of the program for `--init`. */
  readonly initPath: string;
}

/**
 * The OCI configuration of a container, with Docker's defaults. Reads /etc/passwd and /etc/group confined in its root.
 * Throws INVALID_ARGUMENT and FAILED_PRECONDITION with the reasons of the parts (NO_COMMAND, USER_UNKNOWN, …).
 */
export async function containerConfig(request: ConfigRequest, facts: HostFacts): Promise<OciConfig> {
  const { spec } = request;
  const security = parseSecurityOptions(spec.securityOptions);
  const namespaces = namespacesOf(spec.namespaces, { ...request, joined: request.others.joined });
  const capabilities = capabilitiesOf(spec, facts.capabilities);
  const devices = await devicesOf(spec);
  const seccomp = seccompOf(request, security, capabilities, facts);
  const hostname = hostnameOf(request);
  const config: OciConfig = {
    ociVersion: "1.0.2",
    process: await processOf(request, { security, capabilities, facts }),
    root: { path: request.rootfsPath, readonly: spec.readOnlyRootfs },
    ...(namespaces.hasOwnUts ? { hostname } : {}),
    mounts: mountsOf(request.mounts, await mountFacts(request, { namespaces, security, facts })),
    annotations: {
      ...spec.annotations,
      ...stopAnnotations(request),
      ...(seccomp === undefined ? {} : facts.filters.annotationsFor(request.bundlePath, seccomp)),
    },
    linux: {
      namespaces: namespaces.namespaces,
      ...mappingsOf(request),
      resources: { ...request.resources, devices: devices.rules },
      cgroupsPath: request.cgroupsPath,
      sysctl: sysctlsOf(spec.sysctls, {
        hasOwnNetwork: request.netnsPath !== undefined,
        hasOwnUsers: spec.userMapping !== undefined,
        hasOwnIpc: namespaces.ipc !== "host" && namespaces.ipc !== "joined",
        domainname: spec.domainname,
      }),
      ...(seccomp === undefined ? {} : { seccomp }),
      devices: devices.nodes,
      ...protectedPaths(spec.privileged || security.systemPathsUnconfined),
      ...rootfsPropagation(request.mounts),
    },
  };
  const cdi = [...cdiNamesOf(spec.deviceRequests ?? []), ...(spec.cdiDevices ?? [])];
  return cdi.length === 0 ? config : injectDevices(config, await findCdiDevices(cdi, request.cdiDirectories));
}

/** The runtimes want the mapping of a namespace that is there already, too: they say by it whom mounts belong to. */
function mappingsOf({ spec: { userMapping } }: ConfigRequest) {
  return userMapping === undefined ? {} : { uidMappings: userMapping.uids, gidMappings: userMapping.gids };
}

/** For whoever ends containers while no daemon is there: deploy/systemd/keeper.sh, at shutdown. A number, and seconds. */
function stopAnnotations({ spec, image }: ConfigRequest): Record<string, string> {
  return {
    "ctl.stop-signal": String(parseSignal(spec.stopSignal || image.stopSignal || "TERM")),
    "ctl.stop-timeout": String(spec.stopTimeoutS ?? DEFAULT_STOP_TIMEOUT_S),
  };
}

/** Docker's: the id's first twelve digits, and the host's own name in the host's network. */
export function hostnameOf(request: Pick<ConfigRequest, "spec" | "id" | "netnsPath" | "others">): string {
  const { spec, id, netnsPath, others } = request;
  if (spec.hostname !== "") return spec.hostname;
  const sharer = networkSharer(spec.namespaces, others);
  if (sharer !== undefined) return sharer.hostname;
  const isHosts = netnsPath === undefined || spec.namespaces.uts === "host";
  return isHosts ? hostName() : id.slice(0, 12);
}

interface ProcessFacts {
  readonly security: SecurityOptions;
  readonly capabilities: readonly string[];
  readonly facts: HostFacts;
}

async function processOf(request: ConfigRequest, { security, capabilities, facts }: ProcessFacts): Promise<OciProcess> {
  const { spec, image } = request;
  if (spec.init) await checkInit(request.initPath);
  const { home, ...user } = await resolveUser(spec.user || image.user, spec.groups, rootFiles(request.rootfsPath));
  const apparmor = apparmorProfile(security.apparmor, spec.privileged, facts.apparmor);
  const args = commandOf(spec, image);
  const size = spec.tty ? (request.terminalSize ?? spec.consoleSize) : undefined;
  return {
    terminal: spec.tty,
    ...(size === undefined ? {} : { consoleSize: consoleSize(size) }),
    user,
    args: spec.init ? [INIT_TARGET, "--", ...args] : args,
    env: environmentOf(spec, image, { hostname: hostnameOf(request), tty: spec.tty, home }),
    cwd: spec.workingDir || image.workingDir || "/",
    capabilities: processCapabilities(capabilities, user.uid),
    rlimits: rlimitsOf(spec.ulimits, facts.rlimits),
    noNewPrivileges: security.noNewPrivileges,
    ...(apparmor === undefined ? {} : { apparmorProfile: apparmor }),
    oomScoreAdj: oomScoreOf(spec.oomScoreAdj, facts),
  };
}

async function checkInit(path: string): Promise<void> {
  await access(path).catch((cause: unknown) => {
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "INIT_MISSING",
      what: "put an init before the container's program (--init)",
      why: `${path} is not on this host`,
      fix: "install catatonit or tini, or name another program as init-path in ctl.yaml",
      cause,
    });
  });
}

/** Always said, since the monitor's own would be inherited; never below ours where the host does not let us lower it. */
function oomScoreOf(asked: number | undefined, facts: HostFacts): number {
  const wanted = asked ?? 0;
  return facts.rlimits.mayRaise ? wanted : Math.max(wanted, facts.oomScoreAdj);
}

function seccompOf(
  { spec }: ConfigRequest,
  { seccomp }: SecurityOptions,
  capabilities: readonly string[],
  facts: HostFacts,
): OciSeccomp | undefined {
  if (!facts.hasSeccomp || spec.privileged || seccomp.kind === "unconfined") return undefined;
  const profile = seccomp.kind === "profile" ? parseSeccompProfile(seccomp.json) : facts.seccompProfile;
  return resolveSeccomp(profile, { capabilities, arch: facts.arch, kernel: facts.kernel });
}

interface MountParts {
  readonly namespaces: Namespaces;
  readonly security: SecurityOptions;
  readonly facts: HostFacts;
}

async function mountFacts(request: ConfigRequest, { namespaces: { ipc }, security, facts }: MountParts) {
  const { spec, bundlePath, others, initPath, shmPath } = request;
  const joined = others.joined.get(spec.namespaces.ipc.slice("container:".length));
  return {
    privileged: spec.privileged,
    hostQueues: spec.userMapping === undefined ? ("mounted" as const) : await boundQueues(),
    hostFiles: hostFilePaths(networkSharer(spec.namespaces, others)?.bundlePath ?? bundlePath),
    ipc,
    sharedShmPath: ipc === "shareable" ? shmPath : joined?.shmPath,
    hasWritableCgroups: security.hasWritableCgroups,
    files: await filesAmong(request.mounts),
    hasRecursiveReadOnly: isKernelAtLeast(facts.kernel, "5.12"),
    shmSizeBytes: spec.shmSizeBytes,
    readOnlyRootfs: spec.readOnlyRootfs,
    initPath: spec.init ? initPath : undefined,
  };
}

async function boundQueues(): Promise<"bound" | "missing"> {
  return access("/dev/mqueue").then(
    () => "bound",
    () => "missing",
  );
}

async function filesAmong(mounts: readonly ContainerMount[]): Promise<Set<string>> {
  const files = new Set<string>();
  for (const mount of mounts) {
    if (mount.kind === "tmpfs" || !mount.isReadOnly) continue;
    // one that is gone is the runtime's to refuse
    if ((await stat(mount.source).catch(() => undefined))?.isDirectory() === false) files.add(mount.source);
  }
  return files;
}

/** The files of a bundle that its container sees in /etc. */
export function hostFilePaths(bundlePath: string) {
  return {
    hosts: join(bundlePath, "hosts"),
    hostname: join(bundlePath, "hostname"),
    resolvConf: join(bundlePath, "resolv.conf"),
  };
}

/** Mounts can only pass where the container's root lets them. */
function rootfsPropagation(mounts: readonly ContainerMount[]): { rootfsPropagation?: string } {
  const said = mounts.flatMap((one) => (one.kind === "tmpfs" ? [] : [one.propagation]));
  if (said.some((one) => one.endsWith("shared"))) return { rootfsPropagation: "shared" };
  if (said.some((one) => one.endsWith("slave"))) return { rootfsPropagation: "rslave" };
  return {};
}
