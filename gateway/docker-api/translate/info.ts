import type { InfoResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import type { ApiVersion } from "../versions.ts";
import { STORAGE_DRIVER } from "./container.ts";
import { rfc3339Nano } from "./times.ts";

const HUB = "https://index.docker.io/v1/";

/** `GET /info`. What ctl has no notion of has Docker's zero value. */
export function systemInfo(info: InfoResponse, serverVersion: string, version: ApiVersion) {
  return {
    ID: info.id,
    Containers: info.containers,
    ContainersRunning: info.running,
    ContainersPaused: info.paused,
    ContainersStopped: info.stopped,
    Images: info.images,
    Driver: STORAGE_DRIVER,
    DriverStatus: [["Monitor", `conmon ${info.monitorVersion}`.trim()]],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "null"],
      Authorization: null,
      Log: ["json-file", "none"],
    },
    ...LIMITS,
    ...(version.minor < 50 ? { BridgeNfIptables: false, BridgeNfIp6tables: false } : {}),
    ...(version.minor < 49 ? {} : { FirewallBackend: { Driver: "nftables" } }),
    Debug: false,
    NFd: 0,
    OomKillDisable: info.cgroupMode !== "2",
    NGoroutines: 0,
    SystemTime: rfc3339Nano(info.systemTime),
    LoggingDriver: "json-file",
    CgroupDriver: "cgroupfs",
    CgroupVersion: info.cgroupMode === "2" ? "2" : "1",
    NEventsListener: 0,
    ...host(info),
    IndexServerAddress: HUB,
    RegistryConfig: registryConfig(info),
    GenericResources: null,
    DockerRootDir: info.root,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: info.name,
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: serverVersion,
    ...runtimes(info),
    Swarm: inactiveSwarm(),
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: info.runtimeVersion },
    InitCommit: { ID: "" },
    SecurityOptions: info.securityOptions,
    CDISpecDirs: [],
    Warnings: info.warnings.length === 0 ? null : info.warnings,
  };
}

/** The kernel has these wherever ctl starts. */
const LIMITS = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  IPv4Forwarding: true,
};

function host(info: InfoResponse) {
  return {
    KernelVersion: info.kernel,
    OperatingSystem: info.operatingSystem,
    OSVersion: /\b\d+(\.\d+)*\b/.exec(info.operatingSystem)?.[0] ?? "",
    OSType: "linux",
    Architecture: unameMachine(info.architecture),
    NCPU: info.cpuCount,
    MemTotal: info.memoryBytes,
  };
}

/** Docker shows the machine as uname does and its own architecture as Go does. */
function unameMachine(architecture: string): string {
  return { amd64: "x86_64", x64: "x86_64", arm64: "aarch64" }[architecture] ?? architecture;
}

function runtimes(info: InfoResponse) {
  const name = info.runtime.split("/").at(-1) || "runc";
  return { Runtimes: { [name]: { path: info.runtime || name } }, DefaultRuntime: name };
}

function inactiveSwarm() {
  return {
    NodeID: "",
    NodeAddr: "",
    LocalNodeState: "inactive",
    ControlAvailable: false,
    Error: "",
    RemoteManagers: null,
  };
}

function registryConfig(info: InfoResponse) {
  const mirrors = info.mirrors.filter(({ registry }) => registry === "docker.io").flatMap(({ urls }) => urls);
  const insecure = info.insecureRegistries.map((name) => [
    name,
    { Name: name, Mirrors: [], Secure: false, Official: false },
  ]);
  return {
    InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
    IndexConfigs: {
      "docker.io": { Name: "docker.io", Mirrors: mirrors, Secure: true, Official: true },
      ...Object.fromEntries(insecure),
    },
    Mirrors: mirrors,
  };
}
