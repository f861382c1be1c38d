import { ContainerSpec, RestartMode } from "#proto/ctl/containers/v1/spec.ts";
import { MountType } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../services/kit/errors.ts";
import type { FlagValues } from "../grammar/flags.ts";
import { readTextFile } from "../read-file.ts";
import { parseEnvFile, parseLabelFile, resolveVariable } from "../values/environment.ts";
import { toMap } from "../values/key-value.ts";
import { type Mount, parseVolume } from "../values/mount.ts";
import type { RestartPolicy } from "../values/restart-policy.ts";
import { endpointsOf } from "./endpoints.ts";
import type { containerFlags } from "./flags.ts";
import { healthcheckOf } from "./healthcheck.ts";
import { securityOptionsOf } from "./security.ts";

export type ContainerFlags = FlagValues<typeof containerFlags>;

export interface Wish {
  readonly flags: ContainerFlags;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isDetached: boolean;
}

/**
 * What the flags ask for, as the daemon takes it. Reads the files that they name.
 * Throws INVALID_ARGUMENT FLAGS_CONFLICT, FILE_UNREADABLE, and what the values' grammars throw.
 */
export function buildSpec(wish: Wish): ContainerSpec {
  refuseConflicts(wish);
  return ContainerSpec.fromPartial({
    ...programOf(wish),
    ...lifetimeOf(wish),
    ...isolationOf(wish),
    ...networkOf(wish),
    resources: resourcesOf(wish.flags),
    mounts: mountsOf(wish),
    name: wish.flags.name ?? "",
    image: wish.image,
    labels: toMap([...wish.flags["label-file"].flatMap(readLabels), ...wish.flags.label]),
    annotations: toMap(wish.flags.annotation),
    platform: wish.flags.platform ?? "",
    logDriver: wish.flags["log-driver"] ?? "",
    logOptions: toMap(wish.flags["log-opt"]),
    attach: attachedStreams(wish),
  });
}

function refuseConflicts({ flags, isDetached, image }: Wish): void {
  const restarts = flags.restart !== undefined && flags.restart.mode !== "no";
  if (flags.rm && restarts)
    throw conflict(image, "--rm removes what --restart would start again", "leave one of them out");
  if (isDetached && flags.attach.length > 0) throw conflict(image, "-a attaches, -d detaches", "leave one of them out");
  if (flags["mac-address"] !== undefined && flags.network.length + flags.net.length > 1) {
    throw conflict(image, "--mac-address with several networks", "say --network name=NET,mac-address=… for each");
  }
}

function programOf({ flags, command, env, isDetached }: Wish) {
  const fromFiles = flags["env-file"].flatMap((path) => parseEnvFile(readTextFile(path, "environment file"), env));
  return {
    entrypoint:
      flags.entrypoint === undefined ? undefined : { values: flags.entrypoint === "" ? [] : [flags.entrypoint] },
    command: [...command],
    env: [...fromFiles, ...flags.env.flatMap((variable) => resolveVariable(variable, env))],
    workingDir: flags.workdir ?? "",
    user: flags.user ?? "",
    groups: [...flags["group-add"]],
    tty: flags.tty,
    openStdin: flags.interactive,
    // a terminal stays open for whoever attaches next
    stdinOnce: flags.interactive && !isDetached && !flags.tty,
    init: flags.init,
  };
}

const RESTART_MODES = {
  no: RestartMode.NO,
  always: RestartMode.ALWAYS,
  "unless-stopped": RestartMode.UNLESS_STOPPED,
  "on-failure": RestartMode.ON_FAILURE,
} as const satisfies Record<RestartPolicy["mode"], RestartMode>;

export function restartMessage({ mode, maxRetries }: RestartPolicy) {
  return { mode: RESTART_MODES[mode], maxRetries };
}

function lifetimeOf({ flags }: Wish) {
  return {
    restart: restartMessage(flags.restart ?? { mode: "no", maxRetries: 0 }),
    autoRemove: flags.rm,
    stopSignal: flags["stop-signal"] ?? "",
    stopTimeoutS: flags["stop-timeout"],
    healthcheck: healthcheckOf(flags),
    healthOnFailure: flags["health-on-failure"] ?? "",
  };
}

function isolationOf({ flags }: Wish) {
  return {
    hostname: flags.hostname ?? "",
    domainname: flags.domainname ?? "",
    readOnlyRootfs: flags["read-only"],
    capAdd: [...flags["cap-add"]],
    capDrop: [...flags["cap-drop"]],
    privileged: flags.privileged,
    securityOptions: securityOptionsOf(flags["security-opt"]),
    sysctls: toMap(flags.sysctl),
    ulimits: [...flags.ulimit],
    shmSizeBytes: flags["shm-size"] ?? 0,
    oomScoreAdj: flags["oom-score-adj"],
    ipcMode: flags.ipc ?? "",
    pidMode: flags.pid ?? "",
    utsMode: flags.uts === "private" ? "" : (flags.uts ?? ""),
    cgroupnsMode: flags.cgroupns ?? "",
    usernsMode: "",
    devices: [...flags.device],
  };
}

function networkOf({ flags, image }: Wish) {
  return {
    endpoints: endpointsOf(flags, image),
    ports: [...flags.publish],
    publishAll: flags["publish-all"],
    exposedPorts: [...flags.expose],
    dnsServers: [...flags.dns],
    dnsSearch: [...flags["dns-search"]],
    dnsOptions: [...flags["dns-option"], ...flags["dns-opt"]],
    extraHosts: [...flags["add-host"]],
  };
}

function resourcesOf(flags: ContainerFlags) {
  return {
    memoryBytes: flags.memory ?? 0,
    memorySwapBytes: flags["memory-swap"] ?? 0,
    memoryReservationBytes: flags["memory-reservation"] ?? 0,
    nanoCpus: flags.cpus ?? 0,
    cpuShares: flags["cpu-shares"] ?? 0,
    cpuPeriodUs: flags["cpu-period"] ?? 0,
    cpuQuotaUs: flags["cpu-quota"] ?? 0,
    cpusetCpus: flags["cpuset-cpus"] ?? "",
    cpusetMems: flags["cpuset-mems"] ?? "",
    // -1 and 0 both mean: no limit
    pidsLimit: Math.max(0, flags["pids-limit"] ?? 0),
    blkioWeight: flags["blkio-weight"] ?? 0,
    oomKillDisable: flags["oom-kill-disable"],
  };
}

const MOUNT_TYPES = { bind: MountType.BIND, volume: MountType.VOLUME, tmpfs: MountType.TMPFS } as const;

function mountsOf({ flags, env, image }: Wish) {
  const here = { directory: process.cwd(), home: env["HOME"] ?? "/root" };
  const mounts = [...flags.volume.map((volume) => parseVolume(volume, here)), ...flags.mount, ...flags.tmpfs];
  const targets = mounts.map((mount) => mount.target);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) throw conflict(image, `duplicate mount point: ${twice}`, "mount one thing there");
  return mounts.map(toRequest);
}

function toRequest(mount: Mount) {
  return {
    ...mount,
    type: MOUNT_TYPES[mount.type],
    driverOptions: { ...mount.driverOptions },
    labels: { ...mount.labels },
    tmpfsOptions: [...mount.tmpfsOptions],
    isFromImage: false,
  };
}

/** Which streams the creator attaches to: what was said, else all that there are. */
export function attachedStreams({ flags, isDetached }: Pick<Wish, "flags" | "isDetached">): string[] {
  if (isDetached) return [];
  if (flags.attach.length > 0) return [...new Set(flags.attach)];
  return [...(flags.interactive ? ["stdin"] : []), "stdout", "stderr"];
}

function readLabels(path: string): string[] {
  return parseLabelFile(readTextFile(path, "label file"));
}

function conflict(image: string, why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "FLAGS_CONFLICT",
    what: `describe a container of ${image}`,
    why,
    fix,
  });
}
