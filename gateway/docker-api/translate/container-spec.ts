import { ContainerSpec, Resources, RestartMode, RestartPolicy } from "#proto/ctl/containers/v1/spec.ts";
import { Healthcheck } from "#proto/ctl/images/v1/images.ts";
import { type EndpointRequest, PortRequest } from "#proto/ctl/networks/v1/networks.ts";
import { invalidRequest } from "../query.ts";
import { consoleSizeOf } from "./console-size.ts";
import type { CreateBody, HostConfigBody, UpdateBody } from "./create-body.ts";
import { endpointRequest } from "./endpoint-request.ts";
import { mountRequests } from "./mount-requests.ts";

/** Docker's create request as ctl's wish. Throws INVALID_ARGUMENT REQUEST_INVALID, also for what ctl does not have. */
export function containerSpec(name: string, platform: string, body: CreateBody): ContainerSpec {
  const host = body.HostConfig;
  refuseUnknown(host);
  return ContainerSpec.fromPartial({
    ...process(body),
    ...isolation(host),
    ...names(host),
    name: name.replace(/^\//, ""),
    image: body.Image,
    labels: body.Labels,
    restart: restartPolicy(host),
    autoRemove: host.AutoRemove,
    resources: resources(host),
    mounts: mountRequests(body),
    endpoints: endpoints(body),
    ports: portRequests(host.PortBindings),
    publishAll: host.PublishAllPorts,
    exposedPorts: body.ExposedPorts,
    logDriver: host.LogConfig.Type,
    logOptions: host.LogConfig.Config,
    annotations: host.Annotations,
    volumesFrom: host.VolumesFrom,
    consoleSize: consoleSizeOf(host.ConsoleSize),
    platform,
  });
}

/** A client whose wish is not fulfilled is told so, not given a container without it. */
function refuseUnknown(host: HostConfigBody): void {
  if (Object.keys(host.StorageOpt).length > 0) {
    throw invalidRequest("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }
  if (!["", "default"].includes(host.Isolation.toLowerCase())) {
    throw invalidRequest(`invalid isolation (${host.Isolation}): linux only supports 'default'`);
  }
  for (const field of ["MaskedPaths", "ReadonlyPaths"] as const) {
    if ((host[field]?.length ?? 0) > 0) throw invalidRequest(`HostConfig.${field} can only be empty or left out`);
  }
}

function process(body: CreateBody) {
  const attach = [
    ...(body.AttachStdin ? ["stdin"] : []),
    ...(body.AttachStdout ? ["stdout"] : []),
    ...(body.AttachStderr ? ["stderr"] : []),
  ];
  // Docker's clients write `--entrypoint ""` as [""]
  const entrypoint = body.Entrypoint?.length === 1 && body.Entrypoint[0] === "" ? [] : body.Entrypoint;
  const isCleared = entrypoint !== undefined && (entrypoint.length > 0 || body.Entrypoint?.length === 1);
  return {
    ...(isCleared ? { entrypoint: { values: entrypoint } } : {}),
    command: body.Cmd ?? [],
    env: body.Env,
    workingDir: body.WorkingDir,
    user: body.User,
    hostname: body.Hostname,
    domainname: body.Domainname,
    tty: body.Tty,
    openStdin: body.OpenStdin,
    stdinOnce: body.StdinOnce,
    stopSignal: body.StopSignal,
    ...(typeof body.StopTimeout === "number" ? { stopTimeoutS: body.StopTimeout } : {}),
    attach,
    ...(body.Healthcheck === undefined ? {} : { healthcheck: healthcheckOf(body.Healthcheck) }),
  };
}

function healthcheckOf(check: NonNullable<CreateBody["Healthcheck"]>): Healthcheck | undefined {
  const isSet = check.Test.length > 0 || check.Interval > 0 || check.Retries > 0 || check.Timeout > 0;
  if (!isSet) return undefined;
  return Healthcheck.fromPartial({
    test: check.Test,
    intervalNs: check.Interval,
    timeoutNs: check.Timeout,
    startPeriodNs: check.StartPeriod,
    startIntervalNs: check.StartInterval,
    retries: check.Retries,
  });
}

function isolation(host: HostConfigBody) {
  return {
    readOnlyRootfs: host.ReadonlyRootfs,
    capAdd: host.CapAdd ?? [],
    capDrop: host.CapDrop ?? [],
    privileged: host.Privileged,
    securityOptions: [...host.SecurityOpt, ...(isUnmasked(host) ? ["systempaths=unconfined"] : [])],
    groups: host.GroupAdd,
    init: host.Init,
    sysctls: host.Sysctls,
    shmSizeBytes: host.ShmSize,
    ...(host.OomScoreAdj === 0 ? {} : { oomScoreAdj: host.OomScoreAdj }),
    ipcMode: host.IpcMode,
    pidMode: host.PidMode,
    utsMode: host.UTSMode,
    cgroupnsMode: host.CgroupnsMode,
    usernsMode: host.UsernsMode,
    ulimits: host.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    runtime: host.Runtime,
    cgroupParent: host.CgroupParent,
    ...devices(host),
  };
}

/** As Docker's client says `systempaths=unconfined`. */
function isUnmasked({ MaskedPaths, ReadonlyPaths }: HostConfigBody): boolean {
  return MaskedPaths?.length === 0 && ReadonlyPaths?.length === 0;
}

function devices(host: HostConfigBody) {
  const byCdi = host.DeviceRequests.filter(({ Driver }) => Driver === "cdi");
  return {
    devices: host.Devices.map((device) => ({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer,
      permissions: device.CgroupPermissions,
    })),
    deviceCgroupRules: host.DeviceCgroupRules,
    cdiDevices: byCdi.flatMap(({ DeviceIDs }) => DeviceIDs),
    deviceRequests: host.DeviceRequests.filter(({ Driver }) => Driver !== "cdi").map((request) => ({
      driver: request.Driver,
      count: request.Count,
      deviceIds: request.DeviceIDs,
      capabilities: request.Capabilities.map((values) => ({ values })),
      options: request.Options,
    })),
  };
}

function names(host: HostConfigBody) {
  return {
    dnsServers: host.Dns,
    dnsSearch: host.DnsSearch,
    dnsOptions: host.DnsOptions,
    extraHosts: host.ExtraHosts,
    links: host.Links.map(link),
  };
}

/** `db`, `db:alias`, or as Docker shows it `/db:/web/alias`. */
function link(text: string): string {
  const [container = "", alias = container, ...more] = text.replace(/^\//, "").split(":");
  if (container === "" || alias === "" || more.length > 0) throw invalidRequest(`bad format for links: ${text}`);
  return `${container}:${alias.slice(alias.lastIndexOf("/") + 1)}`;
}

const RESTART_MODES: Readonly<Record<string, RestartMode>> = {
  "": RestartMode.NO,
  no: RestartMode.NO,
  always: RestartMode.ALWAYS,
  "unless-stopped": RestartMode.UNLESS_STOPPED,
  "on-failure": RestartMode.ON_FAILURE,
};

export function restartPolicy({
  RestartPolicy: policy,
  AutoRemove,
}: Pick<HostConfigBody, "RestartPolicy"> & Partial<Pick<HostConfigBody, "AutoRemove">>): RestartPolicy {
  const mode = RESTART_MODES[policy.Name];
  const maxRetries = policy.MaximumRetryCount;
  if (mode === undefined) throw invalidRequest(`invalid restart policy: unknown policy '${policy.Name}'`);
  if (maxRetries < 0) throw invalidRequest("invalid restart policy: maximum retry count cannot be negative");
  if (maxRetries > 0 && mode !== RestartMode.ON_FAILURE) {
    throw invalidRequest("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (AutoRemove && mode !== RestartMode.NO) {
    throw invalidRequest("can't create 'AutoRemove' container with restart policy");
  }
  return RestartPolicy.fromPartial({ mode, maxRetries });
}

export function resources(host: UpdateBody): Resources {
  return Resources.fromPartial({
    memoryBytes: host.Memory,
    memorySwapBytes: host.MemorySwap,
    memoryReservationBytes: host.MemoryReservation,
    nanoCpus: host.NanoCpus,
    cpuShares: host.CpuShares,
    cpuPeriodUs: host.CpuPeriod,
    cpuQuotaUs: host.CpuQuota,
    cpusetCpus: host.CpusetCpus,
    cpusetMems: host.CpusetMems,
    pidsLimit: Math.max(host.PidsLimit, 0), // -1 is no limit too
    oomKillDisable: host.OomKillDisable,
    cpuRealtimePeriodUs: host.CpuRealtimePeriod,
    cpuRealtimeRuntimeUs: host.CpuRealtimeRuntime,
    ...(typeof host.MemorySwappiness === "number" && host.MemorySwappiness !== -1
      ? { memorySwappiness: host.MemorySwappiness }
      : {}),
    ...blockLimits(host),
  });
}

function blockLimits(host: UpdateBody) {
  const throttle = ({ Path: path, Rate: value }: { Path: string; Rate: number }) => ({ path, value });
  return {
    blkioWeight: host.BlkioWeight,
    blkioWeightDevice: host.BlkioWeightDevice.map(({ Path: path, Weight: value }) => ({ path, value })),
    blkioReadBps: host.BlkioDeviceReadBps.map(throttle),
    blkioWriteBps: host.BlkioDeviceWriteBps.map(throttle),
    blkioReadIops: host.BlkioDeviceReadIOps.map(throttle),
    blkioWriteIops: host.BlkioDeviceWriteIOps.map(throttle),
  };
}

/** The network of NetworkMode first, then the others that are asked for by name. */
function endpoints(body: CreateBody): EndpointRequest[] {
  const asked = body.NetworkingConfig.EndpointsConfig;
  const mode = networkOf(body.HostConfig.NetworkMode);
  const first = asked[mode] ?? (mode === "bridge" ? asked["default"] : undefined);
  const others = Object.entries(asked).filter(([name]) => networkOf(name) !== mode);
  const hasChoice = others.length > 0 && body.HostConfig.NetworkMode === "";
  const chosen = hasChoice ? others : [[mode, first] as const, ...others];
  return chosen.map(([network, settings], index) => {
    const request = endpointRequest(network, settings);
    return index === 0 && request.macAddress === "" ? { ...request, macAddress: body.MacAddress } : request;
  });
}

function networkOf(mode: string): string {
  return mode === "" || mode === "default" ? "bridge" : mode;
}

function portRequests(bindings: HostConfigBody["PortBindings"]): PortRequest[] {
  return Object.entries(bindings).flatMap(([port, hosts]) => {
    const [number = "", protocol = "tcp"] = port.split("/");
    const containerPort = portNumber(number, port);
    const wanted = hosts.length === 0 ? [{ HostIp: "", HostPort: "" }] : hosts;
    return wanted.map(({ HostIp, HostPort }) => {
      const [first = "", last = ""] = HostPort.split("-");
      return PortRequest.fromPartial({
        containerPort,
        protocol: protocol.toLowerCase(),
        hostIp: HostIp,
        hostPort: first === "" ? 0 : portNumber(first, HostPort),
        hostPortEnd: last === "" ? 0 : portNumber(last, HostPort),
      });
    });
  });
}

function portNumber(text: string, whole: string): number {
  const number = Number(text);
  if (/^\d{1,5}$/.test(text) && number < 65_536) return number;
  throw invalidRequest(`invalid port specification: "${whole}"`);
}
