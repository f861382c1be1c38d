import type { Container } from "#proto/ctl/containers/v1/containers.ts";
import {
  ContainerSpec,
  type Device,
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
    VolumeDriver: "",
    VolumesFrom: null,
    ConsoleSize: [0, 0],
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
    Links: null,
    OomScoreAdj: spec.oomScoreAdj ?? 0,
    PidMode: spec.pidMode,
    Privileged: spec.privileged,
    PublishAllPorts: spec.publishAll,
    ReadonlyRootfs: spec.readOnlyRootfs,
    SecurityOpt: nullIfNone(spec.securityOptions),
    ...omitEmpty("Tmpfs", tmpfs(spec.mounts)),
    UTSMode: spec.utsMode,
    UsernsMode: spec.usernsMode,
    ShmSize: spec.shmSizeBytes || DEFAULT_SHM_BYTES,
    ...omitEmpty("Sysctls", sorted(spec.sysctls)),
    Runtime: container.runtime || "runc",
    Isolation: "",
    ...resources(spec),
    MaskedPaths: spec.privileged ? null : MASKED_PATHS,
    ReadonlyPaths: spec.privileged ? null : READONLY_PATHS,
  };
}

export function networkMode(spec: ContainerSpec | undefined): string {
  return shownNetwork(spec?.endpoints[0]?.network ?? "");
}

function resources(spec: ContainerSpec) {
  const limits = spec.resources ?? Resources.fromPartial({});
  return {
    CpuShares: limits.cpuShares,
    Memory: limits.memoryBytes,
    NanoCpus: limits.nanoCpus,
    CgroupParent: "",
    BlkioWeight: limits.blkioWeight,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    CpuPeriod: limits.cpuPeriodUs,
    CpuQuota: limits.cpuQuotaUs,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: limits.cpusetCpus,
    CpusetMems: limits.cpusetMems,
    Devices: spec.devices.map(device),
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: limits.memoryReservationBytes,
    MemorySwap: limits.memorySwapBytes,
    MemorySwappiness: null,
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
