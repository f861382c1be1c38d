import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import {
  ContainerSpec,
  type Device,
  type DeviceLimit,
  Resources,
  RestartMode,
  type RestartPolicy,
  type Ulimit,
} from "#proto/ctl/containers/v1/spec.ts";
import type { PortRequest } from "#proto/ctl/networks/v1/networks.ts";
import { binds, longMounts, tmpfs } from "./container-mounts.ts";
import { shownNetwork } from "./container-networks.ts";
import { nullIfNone, omitEmpty, sorted } from "./go-values.ts";
import { MASKED_PATHS, READONLY_PATHS } from "./masked-paths.ts";

export const DEFAULT_SHM_BYTES = 64 << 20;

/** `HostConfig` of an inspection. What ctl has no notion of has Docker's zero value. */
export function hostConfig(container: Container) {
  const spec = container.spec ?? ContainerSpec.fromPartial({});
  return {
    Binds: nullIfNone(binds(spec.mounts)),
    ContainerIDFile: "",
    LogConfig: { Type: spec.logDriver || "json-file", Config: sorted(spec.logOptions) },
    NetworkMode: networkMode(spec),
    PortBindings: portBindings(spec.ports),
    RestartPolicy: restartPolicy(spec.restart),
    AutoRemove: spec.autoRemove,
    VolumeDriver: volumeDriver(spec),
    VolumesFrom: nullIfNone(spec.volumesFrom),
    ConsoleSize: [spec.consoleSize?.rows ?? 0, spec.consoleSize?.columns ?? 0],
    ...omitEmpty("Annotations", sorted(spec.annotations)),
    ...omitEmpty("Mounts", longMounts(spec.mounts)),
    CapAdd: nullIfNone(spec.capAdd),
    CapDrop: nullIfNone(spec.capDrop),
    CgroupnsMode: spec.cgroupnsMode || "private",
    Dns: spec.dnsServers,
    DnsOptions: spec.dnsOptions,
    DnsSearch: spec.dnsSearch,
    ExtraHosts: nullIfNone(spec.extraHosts),
    GroupAdd: nullIfNone(spec.groups),
    IpcMode: spec.ipcMode || "private",
    Cgroup: "",
    Links: nullIfNone(spec.links.map((link) => shownLink(link, container.name))),
    OomScoreAdj: spec.oomScoreAdj ?? 0,
    PidMode: spec.pidMode,
    Privileged: spec.privileged,
    PublishAllPorts: spec.publishAll,
    ReadonlyRootfs: spec.readOnlyRootfs,
    SecurityOpt: nullIfNone(securityOptions(spec)),
    ...omitEmpty("Tmpfs", tmpfs(spec.mounts)),
    UTSMode: spec.utsMode,
    UsernsMode: spec.usernsMode,
    ShmSize: spec.shmSizeBytes || DEFAULT_SHM_BYTES,
    ...omitEmpty("Sysctls", sorted(spec.sysctls)),
    Runtime: spec.runtime || container.runtime || "runc",
    Isolation: "",
    ...resources(spec),
    ...protectedPaths(spec),
  };
}

const UNMASKED = "systempaths=unconfined";

function protectedPaths({ privileged, securityOptions }: ContainerSpec) {
  if (privileged) return { MaskedPaths: null, ReadonlyPaths: null };
  if (securityOptions.includes(UNMASKED)) return { MaskedPaths: [], ReadonlyPaths: [] };
  return { MaskedPaths: MASKED_PATHS, ReadonlyPaths: READONLY_PATHS };
}

/** Docker has one for all of `-v`. */
function volumeDriver({ mounts }: ContainerSpec): string {
  return mounts.find(({ createSource, driver }) => createSource && driver !== "")?.driver ?? "";
}

function shownLink(link: string, name: string): string {
  const [container = "", alias = container] = link.split(":");
  return `/${container}:/${name}/${alias}`;
}

/** Docker adds to a container that sees the host's processes what keeps SELinux out of it. */
function securityOptions(spec: ContainerSpec): string[] {
  const options = spec.securityOptions.filter((option) => option !== UNMASKED);
  const isOpen = spec.privileged || spec.pidMode === "host" || spec.ipcMode === "host";
  return isOpen && !options.some((option) => option.startsWith("label")) ? ["label=disable", ...options] : options;
}

export function networkMode(spec: ContainerSpec | undefined): string {
  return shownNetwork(spec?.networkMode || (spec?.endpoints[0]?.network ?? ""));
}

function resources(spec: ContainerSpec) {
  const limits = spec.resources ?? Resources.fromPartial({});
  return {
    CpuShares: limits.cpuShares,
    Memory: limits.memoryBytes,
    NanoCpus: limits.nanoCpus,
    CgroupParent: spec.cgroupParent,
    BlkioWeight: limits.blkioWeight,
    BlkioWeightDevice: limits.blkioWeightDevice.map(({ path, value }) => ({ Path: path, Weight: value })),
    BlkioDeviceReadBps: limits.blkioReadBps.map(throttle),
    BlkioDeviceWriteBps: limits.blkioWriteBps.map(throttle),
    BlkioDeviceReadIOps: limits.blkioReadIops.map(throttle),
    BlkioDeviceWriteIOps: limits.blkioWriteIops.map(throttle),
    CpuPeriod: limits.cpuPeriodUs,
    CpuQuota: limits.cpuQuotaUs,
    CpuRealtimePeriod: limits.cpuRealtimePeriodUs,
    CpuRealtimeRuntime: limits.cpuRealtimeRuntimeUs,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
    Devices: spec.devices.map(device),
    DeviceCgroupRules: nullIfNone(spec.deviceCgroupRules),
    DeviceRequests: nullIfNone(deviceRequests(spec)),
    MemoryReservation: limits.memoryReservationBytes,
    MemorySwap: limits.memorySwapBytes,
    MemorySwappiness: limits.memorySwappiness ?? null,
    OomKillDisable: limits.oomKillDisable ? true : null,
    ...(spec.init ? { Init: true } : {}),
    PidsLimit: limits.pidsLimit === 0 ? null : limits.pidsLimit,
    Ulimits: spec.ulimits.map(ulimit),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}

function device({ hostPath, containerPath, permissions }: Device) {
  return { PathOnHost: hostPath, PathInContainer: containerPath || hostPath, CgroupPermissions: permissions || "rwm" };
}

function throttle({ path, value }: DeviceLimit) {
  return { Path: path, Rate: value };
}

function deviceRequests({ cdiDevices, deviceRequests: requests }: ContainerSpec) {
  const none = { Capabilities: null, Options: null };
  const byCdi = cdiDevices.length === 0 ? [] : [{ Driver: "cdi", Count: 0, DeviceIDs: cdiDevices, ...none }];
  const others = requests.map(({ driver, count, deviceIds, capabilities, options }) => ({
    Driver: driver,
    Count: count,
    DeviceIDs: nullIfNone(deviceIds),
    Capabilities: capabilities.map(({ values }) => values),
    Options: options,
  }));
  return [...byCdi, ...others];
}

function ulimit({ name, soft, hard }: Ulimit) {
  return { Name: name, Hard: hard, Soft: soft };
}

const RESTART_NAMES = {
  [RestartMode.UNSPECIFIED]: "no",
  [RestartMode.UNRECOGNIZED]: "no",
  [RestartMode.NO]: "no",
  [RestartMode.ALWAYS]: "always",
  [RestartMode.UNLESS_STOPPED]: "unless-stopped",
  [RestartMode.ON_FAILURE]: "on-failure",
} as const satisfies Record<RestartMode, string>;

function restartPolicy(policy: RestartPolicy | undefined) {
  return { Name: RESTART_NAMES[policy?.mode ?? RestartMode.NO], MaximumRetryCount: policy?.maxRetries ?? 0 };
}

function portBindings(ports: readonly PortRequest[]) {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of ports) {
    const name = `${port.containerPort}/${port.protocol || "tcp"}`;
    bindings[name] = [...(bindings[name] ?? []), { HostIp: port.hostIp, HostPort: hostPort(port) }];
  }
  return sorted(bindings);
}

function hostPort({ hostPort, hostPortEnd }: PortRequest): string {
  if (hostPort === 0) return "";
  return hostPortEnd > hostPort ? `${hostPort}-${hostPortEnd}` : String(hostPort);
}
