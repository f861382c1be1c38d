import * as z from "zod";
import { endpointSettingsBody } from "./endpoint-request.ts";
import {
  goBoolean,
  goInteger,
  goList,
  goMap,
  goObject,
  goSet,
  goString,
  goStringMap,
  goStrings,
  goStrSlice,
} from "./go-json.ts";

export const healthcheckBody = goObject({
  Test: goStrings,
  Interval: goInteger,
  Timeout: goInteger,
  StartPeriod: goInteger,
  StartInterval: goInteger,
  Retries: goInteger,
});

const mount = goObject({
  Type: goString,
  Source: goString,
  Target: goString,
  ReadOnly: goBoolean,
  BindOptions: goObject({
    Propagation: goString,
    CreateMountpoint: goBoolean,
    NonRecursive: goBoolean,
    ReadOnlyNonRecursive: goBoolean,
    ReadOnlyForceRecursive: goBoolean,
  }),
  VolumeOptions: goObject({
    NoCopy: goBoolean,
    Labels: goStringMap,
    DriverConfig: goObject({ Name: goString, Options: goStringMap }),
    Subpath: goString,
  }),
  TmpfsOptions: goObject({ SizeBytes: goInteger, Mode: goInteger, Options: goList(goStrings) }),
});

const throttles = goList(goObject({ Path: goString, Rate: goInteger }));

const resources = {
  CpuShares: goInteger,
  Memory: goInteger,
  NanoCpus: goInteger,
  BlkioWeight: goInteger,
  BlkioWeightDevice: goList(goObject({ Path: goString, Weight: goInteger })),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CgroupParent: goString,
  CpuRealtimePeriod: goInteger,
  CpuRealtimeRuntime: goInteger,
  MemorySwappiness: z.int().nullish(),
  CpuPeriod: goInteger,
  CpuQuota: goInteger,
  CpusetCpus: goString,
  CpusetMems: goString,
  Devices: goList(goObject({ PathOnHost: goString, PathInContainer: goString, CgroupPermissions: goString })),
  DeviceRequests: goList(
    goObject({
      Driver: goString,
      Count: goInteger,
      DeviceIDs: goStrings,
      Capabilities: goList(goStrings),
      Options: goStringMap,
    }),
  ),
  DeviceCgroupRules: goStrings,
  MemoryReservation: goInteger,
  MemorySwap: goInteger,
  OomKillDisable: goBoolean,
  PidsLimit: goInteger,
  Ulimits: goList(goObject({ Name: goString, Soft: goInteger, Hard: goInteger })),
  Init: goBoolean,
};

const restartPolicyBody = goObject({ Name: goString, MaximumRetryCount: goInteger });

/** The body of `POST /containers/{id}/update`. */
export const updateBody = goObject({ ...resources, RestartPolicy: restartPolicyBody });

export type UpdateBody = z.infer<typeof updateBody>;

const hostConfig = goObject({
  ...resources,
  Binds: goStrings,
  LogConfig: goObject({ Type: goString, Config: goStringMap }),
  NetworkMode: goString,
  PortBindings: goMap(goList(goObject({ HostIp: goString, HostPort: goString }))),
  RestartPolicy: restartPolicyBody,
  AutoRemove: goBoolean,
  VolumeDriver: goString,
  VolumesFrom: goStrings,
  Mounts: goList(mount),
  Annotations: goStringMap,
  ConsoleSize: goList(goInteger),
  CapAdd: goStrSlice,
  CapDrop: goStrSlice,
  CgroupnsMode: goString,
  Dns: goStrings,
  DnsOptions: goStrings,
  DnsSearch: goStrings,
  ExtraHosts: goStrings,
  GroupAdd: goStrings,
  IpcMode: goString,
  Isolation: goString,
  Links: goStrings,
  OomScoreAdj: goInteger,
  PidMode: goString,
  Privileged: goBoolean,
  PublishAllPorts: goBoolean,
  ReadonlyRootfs: goBoolean,
  SecurityOpt: goStrings,
  Tmpfs: goStringMap,
  UTSMode: goString,
  UsernsMode: goString,
  ShmSize: goInteger,
  Sysctls: goStringMap,
  Runtime: goString,
  StorageOpt: goStringMap,
  /** Null: Docker's own; empty: none, which is `systempaths=unconfined`. */
  MaskedPaths: z.array(z.string()).nullish(),
  ReadonlyPaths: z.array(z.string()).nullish(),
});

/** The body of `POST /containers/create`: Docker's Config with HostConfig and NetworkingConfig in it. */
export const createBody = goObject({
  Hostname: goString,
  Domainname: goString,
  User: goString,
  AttachStdin: goBoolean,
  AttachStdout: goBoolean,
  AttachStderr: goBoolean,
  ExposedPorts: goSet,
  Tty: goBoolean,
  OpenStdin: goBoolean,
  StdinOnce: goBoolean,
  Env: goStrings,
  Cmd: goStrSlice,
  Healthcheck: healthcheckBody.optional(),
  Image: goString,
  Volumes: goSet,
  WorkingDir: goString,
  Entrypoint: goStrSlice,
  Labels: goStringMap,
  MacAddress: goString,
  StopSignal: goString,
  StopTimeout: z.int().nullish(),
  HostConfig: hostConfig,
  NetworkingConfig: goObject({ EndpointsConfig: goMap(endpointSettingsBody) }),
});

export type CreateBody = z.infer<typeof createBody>;
export type HostConfigBody = CreateBody["HostConfig"];
export type MountBody = HostConfigBody["Mounts"][number];
