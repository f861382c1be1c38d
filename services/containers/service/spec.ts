import type { UpdateContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import {
  type RestartPolicy as PolicyMessage,
  Resources,
  RestartMode,
  ContainerSpec as SpecMessage,
} from "#proto/ctl/containers/v1/spec.ts";
import type { ImageConfig } from "#proto/ctl/images/v1/images.ts";
import { MountType, type ResolvedMount } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../kit/errors.ts";
import type { RestartPolicy } from "../exits/restart-policy.ts";
import { effectiveCheck, parseOnUnhealthy } from "../health/check.ts";
import { parseLogConfig } from "../logs/drivers/driver.ts";
import type { ContainerMount, ContainerSpec, ImageDefaults, Propagation, Recursive } from "../spec/spec.ts";
import type { UpdateWish } from "../update.ts";
import { parseSize } from "./terminal-size.ts";

/**
 * The caller's message as the narrow type that everything in this service works with; refused here or nowhere.
 * Throws INVALID_ARGUMENT CONTAINER_SPEC_INVALID.
 */
export function parseSpec(wish: SpecMessage, image?: ImageConfig): ContainerSpec {
  if (wish.image === "") throw invalid("it names no image", "name one");
  if (wish.workingDir !== "" && !wish.workingDir.startsWith("/")) {
    throw invalid(`the working directory "${wish.workingDir}" is not absolute`, "begin it with /");
  }
  const { hostname, domainname } = wish;
  if (!/^[a-zA-Z0-9_.-]{0,64}$/.test(hostname))
    throw invalid(`"${hostname}" cannot be a host name`, "at most 64 letters, digits, dots and dashes");
  checkResources(wish);
  checkNumbers(wish);
  checkCgroupParent(wish);
  if (
    wish.autoRemove &&
    ![RestartMode.UNSPECIFIED, RestartMode.NO].some((mode) => mode === wish.restart?.mode) &&
    wish.restart !== undefined
  ) {
    throw invalid("--rm and a restart policy exclude each other", "leave one of them out");
  }
  return {
    name: wish.name,
    image: wish.image,
    entrypoint: wish.entrypoint?.values,
    command: wish.command,
    env: wish.env.map(checkEnv),
    workingDir: wish.workingDir,
    user: wish.user,
    groups: wish.groups,
    hostname,
    domainname,
    labels: wish.labels,
    tty: wish.tty,
    ...(wish.consoleSize === undefined ? {} : { consoleSize: parseSize(wish.consoleSize) }),
    openStdin: wish.openStdin,
    stdinOnce: wish.stdinOnce,
    readOnlyRootfs: wish.readOnlyRootfs,
    stopSignal: wish.stopSignal,
    stopTimeoutS: wish.stopTimeoutS,
    restart: parseRestart(wish.restart),
    autoRemove: wish.autoRemove,
    ...(wish.autoRemove && wish.attach.some((stream) => stream !== "stdin") ? { isAwaited: true } : {}),
    resources: wish.resources ?? NO_LIMITS,
    capAdd: wish.capAdd,
    capDrop: wish.capDrop,
    privileged: wish.privileged,
    securityOptions: wish.securityOptions,
    init: wish.init,
    dns: { servers: wish.dnsServers, search: wish.dnsSearch, options: wish.dnsOptions },
    extraHosts: wish.extraHosts,
    sysctls: wish.sysctls,
    ulimits: wish.ulimits,
    shmSizeBytes: wish.shmSizeBytes,
    oomScoreAdj: wish.oomScoreAdj,
    namespaces: {
      ...{ ipc: wish.ipcMode, pid: wish.pidMode, uts: wish.utsMode, cgroup: wish.cgroupnsMode },
      network: wish.endpoints.find(({ network }) => network.startsWith("container:"))?.network ?? "",
    },
    ...devicesOf(wish),
    annotations: wish.annotations,
    cgroupParent: wish.cgroupParent,
    runtime: wish.runtime,
    links: isOnDefaultNetwork(wish) ? wish.links : [],
    logging: parseLogConfig(wish.logDriver, wish.logOptions),
    ...healthOf(wish, image),
  };
}

/** Elsewhere links are names that the network's resolver knows, whoever bears them by then. */
function isOnDefaultNetwork({ endpoints: [first] }: SpecMessage): boolean {
  return first === undefined || ["", "default", "bridge"].includes(first.network);
}

function devicesOf({ devices, deviceCgroupRules, cdiDevices, deviceRequests }: SpecMessage) {
  return {
    devices,
    deviceCgroupRules,
    cdiDevices,
    deviceRequests: deviceRequests.map(({ driver, count, deviceIds, capabilities }) => ({
      ...{ driver, count, deviceIds },
      capabilities: capabilities.map(({ values }) => values),
    })),
  };
}

function healthOf(wish: SpecMessage, image: ImageConfig | undefined) {
  const healthcheck = effectiveCheck(wish.healthcheck, image?.healthcheck, image?.shell ?? []);
  const onUnhealthy = parseOnUnhealthy(wish.healthOnFailure, healthcheck);
  return healthcheck === undefined ? {} : { healthcheck, onUnhealthy };
}

const NO_LIMITS: ContainerSpec["resources"] = {
  memoryBytes: 0,
  memorySwapBytes: 0,
  memoryReservationBytes: 0,
  nanoCpus: 0,
  cpuShares: 0,
  cpuPeriodUs: 0,
  cpuQuotaUs: 0,
  cpusetCpus: "",
  cpusetMems: "",
  pidsLimit: 0,
  blkioWeight: 0,
  oomKillDisable: false,
};

/** Docker refuses less than 6 MiB: the runtime itself does not start with it. */
const MIN_MEMORY_BYTES = 6 << 20;

function checkResources({ resources }: SpecMessage): void {
  if (resources === undefined) return;
  const { memoryBytes, memorySwapBytes, nanoCpus, cpuQuotaUs, cpuPeriodUs } = resources;
  if (memoryBytes !== 0 && memoryBytes < MIN_MEMORY_BYTES)
    throw invalid("the memory limit is below 6 MiB", "give it more");
  if (memorySwapBytes > 0 && memoryBytes === 0) throw invalid("a swap limit needs a memory limit", "set --memory too");
  if (memorySwapBytes > 0 && memorySwapBytes < memoryBytes) {
    throw invalid("the limit of memory and swap together is below that of memory", "make --memory-swap the larger one");
  }
  if (nanoCpus > 0 && (cpuQuotaUs > 0 || cpuPeriodUs > 0)) {
    throw invalid("--cpus and --cpu-quota or --cpu-period say the same thing twice", "leave one out");
  }
}

/** Relative, it is below ours. */
function checkCgroupParent({ cgroupParent }: SpecMessage): void {
  if (!cgroupParent.split("/").some((part) => part === ".." || part === ".") && !cgroupParent.includes("\0")) return;
  throw invalid(`the cgroup parent "${cgroupParent}" has a . or .. in it`, "name a cgroup as /web or web");
}

/** Docker's bounds of what the kernel would refuse only at the start. */
function checkNumbers({ oomScoreAdj = 0, shmSizeBytes, utsMode, hostname }: SpecMessage): void {
  if (oomScoreAdj < -1000 || oomScoreAdj > 1000) {
    const why = `invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`;
    throw invalid(why, "choose --oom-score-adj from -1000 to 1000");
  }
  if (shmSizeBytes < 0) throw invalid("SHM size can not be less than 0", "choose another --shm-size");
  if (utsMode === "host" && hostname !== "") {
    throw invalid("conflicting options: hostname and the UTS mode", "leave one of them out");
  }
}

function checkEnv(entry: string): string {
  if (entry === "" || entry.startsWith("=") || entry.includes("\0")) {
    throw invalid(`"${entry}" is no environment variable`, "write NAME=value or NAME");
  }
  return entry;
}

function parseRestart(policy: PolicyMessage | undefined): RestartPolicy {
  switch (policy?.mode) {
    case RestartMode.ALWAYS:
      return { mode: "always" };
    case RestartMode.UNLESS_STOPPED:
      return { mode: "unless-stopped" };
    case RestartMode.ON_FAILURE:
      return { mode: "on-failure", maxRetries: policy.maxRetries };
    default:
      return { mode: "no" };
  }
}

const RESTART_MODES = {
  no: RestartMode.NO,
  always: RestartMode.ALWAYS,
  "unless-stopped": RestartMode.UNLESS_STOPPED,
  "on-failure": RestartMode.ON_FAILURE,
} as const satisfies Record<RestartPolicy["mode"], RestartMode>;

export function parseUpdate({ resources, restart }: UpdateContainerRequest): UpdateWish {
  return { resources: updatable(resources), restart: restart === undefined ? undefined : parseRestart(restart) };
}

/** Docker's choice of what can be changed later. */
function updatable(asked: Resources | undefined): UpdateWish["resources"] {
  return asked === undefined ? {} : limitsOf(asked);
}

function limitsOf(asked: ContainerSpec["resources"]) {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, nanoCpus, pidsLimit, blkioWeight } = asked;
  const { cpuShares, cpuPeriodUs, cpuQuotaUs, cpusetCpus, cpusetMems } = asked;
  return {
    ...{ memoryBytes, memorySwapBytes, memoryReservationBytes, nanoCpus, pidsLimit, blkioWeight },
    ...{ cpuShares, cpuPeriodUs, cpuQuotaUs, cpusetCpus, cpusetMems },
  };
}

/** The wish as it is shown, with the limits and the policy that an update made of it. */
export function rewish(wish: Buffer, { resources, restart }: Pick<ContainerSpec, "resources" | "restart">): Buffer {
  const message = SpecMessage.decode(wish);
  message.resources = Resources.fromPartial({ ...message.resources, ...limitsOf(resources) });
  const maxRetries = restart.mode === "on-failure" ? restart.maxRetries : 0;
  message.restart = { mode: RESTART_MODES[restart.mode], maxRetries };
  return Buffer.from(SpecMessage.encode(message).finish());
}

export function imageDefaults(config: ImageConfig | undefined): ImageDefaults {
  return {
    entrypoint: config?.entrypoint ?? [],
    command: config?.command ?? [],
    env: config?.env ?? [],
    workingDir: config?.workingDir ?? "",
    user: config?.user ?? "",
    stopSignal: config?.stopSignal ?? "",
  };
}

const PROPAGATIONS: readonly Propagation[] = ["private", "rprivate", "shared", "rshared", "slave", "rslave"];

const RECURSIONS: readonly Recursive[] = ["disabled", "writable", "readonly"];
const RESTRICTIONS = ["noexec", "nosuid", "nodev"];

export function parseMount(mount: ResolvedMount): ContainerMount {
  const { source, target, tmpfsOptions } = mount;
  if (mount.type === MountType.TMPFS) return { kind: "tmpfs", target, options: tmpfsOptions };
  const recursive = RECURSIONS.find((known) => known === mount.recursive);
  const restrictions = RESTRICTIONS.filter((known) => mount.restrictions.includes(known));
  return {
    kind: mount.type === MountType.VOLUME ? "volume" : "bind",
    source,
    target,
    isReadOnly: mount.readOnly,
    propagation: PROPAGATIONS.find((known) => known === mount.propagation) ?? "rprivate",
    ...(mount.subpath === "" ? {} : { subpath: mount.subpath }),
    ...(recursive === undefined ? {} : { recursive }),
    ...(restrictions.length === 0 ? {} : { restrictions }),
  };
}

function invalid(why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", { reason: "CONTAINER_SPEC_INVALID", what: "create a container", why, fix });
}
