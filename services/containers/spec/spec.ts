import type { TerminalSize } from "../../kit/linux/pty.ts";
import type { UserMapping } from "../../kit/linux/user-mapping.ts";
import type { RestartPolicy } from "../exits/restart-policy.ts";
import type { Healthcheck, OnUnhealthy } from "../health/check.ts";
import type { LogConfig } from "../logs/drivers/driver.ts";

/** 64 hex digits, minted by the gateway. */
export type ContainerId = string & { readonly __brand: "ContainerId" };

export function isContainerId(text: string): text is ContainerId {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Between the stop signal and KILL, where neither container nor caller says another. Docker's. */
export const DEFAULT_STOP_TIMEOUT_S = 10;

/**
 * What a caller asks a container to be, as narrow types; the service makes it from the contract's message. Names keep
 * Docker's meaning: an empty text or list is "not said" unless a field says otherwise.
 */
export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  /** Undefined: the image's. Empty: none. */
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[];
  /** `NAME=value`, or `NAME` alone: taken out of the image's. */
  readonly env: readonly string[];
  readonly workingDir: string;
  /** `name|uid[:group|gid]` */
  readonly user: string;
  /** Supplementary groups by name or number. */
  readonly groups: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tty: boolean;
  /** Of its terminal, before it writes its first byte. */
  readonly consoleSize?: TerminalSize | undefined;
  readonly openStdin: boolean;
  /** The container's stdin closes when the first attached client ends. */
  readonly stdinOnce: boolean;
  readonly readOnlyRootfs: boolean;
  readonly stopSignal: string;
  /** Undefined: 10 s. Negative: without end. */
  readonly stopTimeoutS: number | undefined;
  readonly restart: RestartPolicy;
  readonly autoRemove: boolean;
  /** Its creator waits for its output, and it is removed at its end. */
  readonly isAwaited?: boolean;
  readonly resources: Resources;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly securityOptions: readonly string[];
  readonly init: boolean;
  readonly dns: Dns;
  /** `host:address` */
  readonly extraHosts: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: readonly Ulimit[];
  /** 0: 64 MiB. */
  readonly shmSizeBytes: number;
  readonly oomScoreAdj: number | undefined;
  readonly namespaces: NamespaceModes;
  readonly devices: readonly DeviceNode[];
  /** What a row of before has not: absent means none. As of a cgroup's devices controller: `c 1:3 rwm`. */
  readonly deviceCgroupRules?: readonly string[];
  /** `vendor.com/class=device` */
  readonly cdiDevices?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  /** Absent and empty: the daemon's. */
  readonly cgroupParent?: string;
  readonly runtime?: string;
  /** `container:alias` */
  readonly links?: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  /** Undefined: its health is nobody's concern. The image's is mixed in. */
  readonly healthcheck?: Healthcheck | undefined;
  readonly onUnhealthy?: OnUnhealthy;
  /** Undefined for one made before there was a choice: the default. */
  readonly logging?: LogConfig;
  /** Its user namespace, for life: what it writes belongs to these ids. Undefined: the host's. */
  readonly userMapping?: UserMapping;
}

/** What an image says that a container may leave unsaid. */
export interface ImageDefaults {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly stopSignal: string;
}

export interface Dns {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** 0 and empty everywhere: no limit. */
export interface Resources {
  readonly memoryBytes: number;
  /** Memory and swap together; -1: swap without limit; 0: as much swap as memory. */
  readonly memorySwapBytes: number;
  readonly memoryReservationBytes: number;
  /** Billionths of a CPU. */
  readonly nanoCpus: number;
  readonly cpuShares: number;
  readonly cpuPeriodUs: number;
  readonly cpuQuotaUs: number;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly pidsLimit: number;
  readonly blkioWeight: number;
  readonly oomKillDisable: boolean;
  readonly blkioWeightDevice?: readonly DeviceLimit[];
  /** Bytes and operations a second. */
  readonly blkioReadBps?: readonly DeviceLimit[];
  readonly blkioWriteBps?: readonly DeviceLimit[];
  readonly blkioReadIops?: readonly DeviceLimit[];
  readonly blkioWriteIops?: readonly DeviceLimit[];
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  /** Absent: the host's. */
  readonly memorySwappiness?: number | undefined;
}

/** For one block device of the host. */
export interface DeviceLimit {
  readonly path: string;
  readonly value: number;
}

export interface Ulimit {
  readonly name: string;
  /** -1: unlimited. */
  readonly soft: number;
  readonly hard: number;
}

export interface DeviceNode {
  readonly hostPath: string;
  readonly containerPath: string;
  /** Any of r, w, m. */
  readonly permissions: string;
}

/** Docker's `--gpus`: what kind of devices, not which. */
export interface DeviceRequest {
  readonly driver: string;
  /** -1: all. */
  readonly count: number;
  readonly deviceIds: readonly string[];
  /** Alternatives, each a set. */
  readonly capabilities: readonly (readonly string[])[];
}

/** Docker's modes as written: `""` (the default), `host`, `private`, `shareable`, `none`, `container:ID`. */
export interface NamespaceModes {
  readonly ipc: string;
  readonly pid: string;
  readonly uts: string;
  readonly cgroup: string;
  /** Only `container:ID`; else what the networks service gives. Absent in rows of before. */
  readonly network?: string;
}

export type Propagation = "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";

export type Recursive = "disabled" | "writable" | "readonly";

/** A mount as the volumes service resolved it. */
export type ContainerMount =
  | {
      readonly kind: "bind" | "volume";
      /** Host path. */
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      readonly propagation: Propagation;
      /** Of a volume: only this part of it. Absent: all. */
      readonly subpath?: string;
      /** Of a bind, see bind-recursive. Absent: what lies below comes too, as read-only as the bind. */
      readonly recursive?: Recursive;
      /** Of a volume: mount flags that its own mount has, and a bind of it would lose: noexec, nosuid, nodev. */
      readonly restrictions?: readonly string[];
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly options: readonly string[] };
