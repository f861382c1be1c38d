import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { OciResources } from "../bundle/oci-config.ts";
import type { Resources } from "../spec/spec.ts";
import { blockLimitsOf, checkBlockLimits } from "./block-limits.ts";
import type { CgroupLayout, V1Controller } from "./layout.ts";

/** Below this the runtime cannot even start a process; Docker's bound. */
const LEAST_MEMORY_BYTES = 6 * 1024 * 1024;
const DEFAULT_PERIOD_US = 100_000;
const NANO = 1_000_000_000;

/** What the kernel of this host can limit. */
export interface LimitFacts {
  readonly cpus: number;
  readonly hasMemory: boolean;
  readonly hasSwap: boolean;
  readonly hasPids: boolean;
  readonly hasCpuQuota: boolean;
  readonly hasCpuset: boolean;
  readonly hasBlkioWeight: boolean;
  readonly hasBlkioWeightDevice: boolean;
  readonly hasBlkioThrottle: boolean;
  readonly hasSwappiness: boolean;
  readonly hasOomControl: boolean;
  readonly hasCpuRealtime: boolean;
}

export interface Limits {
  readonly resources: OciResources;
  /** What was asked for and this host cannot do. */
  readonly warnings: readonly string[];
}

/** Which limits this host knows: read once, at start. */
export async function readLimitFacts(layout: CgroupLayout): Promise<LimitFacts> {
  const cpus = availableParallelism();
  if (layout.mode === "v2") {
    const controllers = (await readFile(join(layout.root, "cgroup.controllers"), "utf8")).trim().split(" ");
    const has = (name: string) => controllers.includes(name);
    const hasSwap = has("memory") && !(await isMissing("/proc/swaps"));
    return {
      cpus,
      hasMemory: has("memory"),
      hasSwap,
      hasPids: has("pids"),
      hasCpuQuota: has("cpu"),
      hasCpuset: has("cpuset"),
      hasBlkioWeight: has("io"),
      hasBlkioWeightDevice: has("io"),
      hasBlkioThrottle: has("io"),
      // v2 has none of these three
      hasSwappiness: false,
      hasOomControl: false,
      hasCpuRealtime: false,
    };
  }
  const memory = layout.controllers.get("memory");
  const has = async (controller: V1Controller, file: string) => {
    const directory = layout.controllers.get(controller);
    return directory !== undefined && !(await isMissing(join(directory, file)));
  };
  return {
    cpus,
    hasMemory: memory !== undefined,
    hasSwap: await has("memory", "memory.memsw.limit_in_bytes"),
    hasPids: layout.controllers.has("pids"),
    hasCpuQuota: layout.controllers.has("cpu"),
    hasCpuset: layout.controllers.has("cpuset"),
    hasBlkioWeight: await has("blkio", "blkio.weight"),
    hasBlkioWeightDevice: await has("blkio", "blkio.weight_device"),
    hasBlkioThrottle: await has("blkio", "blkio.throttle.read_bps_device"),
    hasSwappiness: await has("memory", "memory.swappiness"),
    hasOomControl: await has("memory", "memory.oom_control"),
    hasCpuRealtime: await has("cpu", "cpu.rt_runtime_us"),
  };
}

/**
 * The limits as the runtime takes them; it translates them to v1's or v2's files itself. As in Docker a memory limit
 * without a word on swap allows as much swap again. Throws INVALID_ARGUMENT LIMIT_INVALID; FAILED_PRECONDITION
 * LIMIT_UNAVAILABLE.
 */
export function linuxResources(resources: Resources, facts: LimitFacts): Limits {
  check(resources, facts);
  const warnings: string[] = [];
  const unless = <T>(isPossible: boolean, warning: string, value: T | undefined): T | undefined => {
    if (value === undefined || isPossible) return value;
    warnings.push(warning);
    return undefined;
  };
  const memory = unless(
    facts.hasMemory,
    "this kernel cannot limit memory: limit discarded",
    memoryOf(resources, facts),
  );
  warnings.push(...(facts.hasMemory ? memoryWarnings(resources, facts) : []));
  const cpu = unless(facts.hasCpuQuota, "this kernel cannot limit CPU time: limit discarded", cpuTimeOf(resources));
  const cpuset = unless(facts.hasCpuset, "this kernel has no cpusets: choice of CPUs discarded", cpusetOf(resources));
  const pidsAsked = resources.pidsLimit === 0 ? undefined : { limit: resources.pidsLimit };
  const pids = unless(facts.hasPids, "this kernel cannot limit processes: limit discarded", pidsAsked);
  const weight = resources.blkioWeight === 0 ? undefined : { weight: resources.blkioWeight };
  const blockWeight = unless(facts.hasBlkioWeight, "this kernel has no weights for block devices: discarded", weight);
  const block = blockLimitsOf(resources, facts);
  const blockIO = blockWeight ?? block.devices;
  return {
    resources: {
      ...(memory === undefined ? {} : { memory }),
      ...(cpu === undefined && cpuset === undefined ? {} : { cpu: { ...cpu, ...cpuset } }),
      ...(pids === undefined ? {} : { pids }),
      ...(blockIO === undefined ? {} : { blockIO: { ...blockWeight, ...block.devices } }),
    },
    warnings: [...warnings, ...block.warnings],
  };
}

function memoryOf(resources: Resources, facts: LimitFacts): OciResources["memory"] {
  const { memoryBytes, memoryReservationBytes, memorySwapBytes, memorySwappiness } = resources;
  const swap = memorySwapBytes === 0 ? memoryBytes * 2 : memorySwapBytes;
  const memory = {
    ...(memoryBytes > 0 ? { limit: memoryBytes } : {}),
    ...(memoryBytes > 0 && facts.hasSwap ? { swap } : {}),
    ...(memoryReservationBytes > 0 ? { reservation: memoryReservationBytes } : {}),
    ...(resources.oomKillDisable && facts.hasOomControl ? { disableOOMKiller: true } : {}),
    ...(memorySwappiness !== undefined && facts.hasSwappiness ? { swappiness: memorySwappiness } : {}),
  };
  return Object.keys(memory).length === 0 ? undefined : memory;
}

function memoryWarnings(resources: Resources, facts: LimitFacts): string[] {
  const { memoryBytes, memorySwapBytes, memorySwappiness, oomKillDisable } = resources;
  const warnings: string[] = [];
  if (memorySwapBytes !== 0 && memoryBytes > 0 && !facts.hasSwap) {
    warnings.push("this kernel cannot limit swap: memory limited without swap");
  }
  if (memorySwappiness !== undefined && !facts.hasSwappiness) {
    warnings.push("this kernel does not support memory swappiness: discarded");
  }
  if (oomKillDisable && !facts.hasOomControl) warnings.push("this kernel does not support OomKillDisable: discarded");
  else if (oomKillDisable && memoryBytes === 0) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  return warnings;
}

function cpuTimeOf(resources: Resources): OciResources["cpu"] {
  const { nanoCpus, cpuQuotaUs, cpuPeriodUs, cpuShares } = resources;
  const { cpuRealtimePeriodUs = 0, cpuRealtimeRuntimeUs = 0 } = resources;
  const quota = nanoCpus > 0 ? Math.round((nanoCpus * DEFAULT_PERIOD_US) / NANO) : cpuQuotaUs;
  const period = nanoCpus > 0 ? DEFAULT_PERIOD_US : cpuPeriodUs;
  const cpu = {
    ...(cpuShares > 0 ? { shares: cpuShares } : {}),
    ...(quota !== 0 ? { quota } : {}),
    ...(period > 0 ? { period } : {}),
    ...(cpuRealtimePeriodUs > 0 ? { realtimePeriod: cpuRealtimePeriodUs } : {}),
    ...(cpuRealtimeRuntimeUs > 0 ? { realtimeRuntime: cpuRealtimeRuntimeUs } : {}),
  };
  return Object.keys(cpu).length === 0 ? undefined : cpu;
}

function cpusetOf({ cpusetCpus, cpusetMems }: Resources): OciResources["cpu"] {
  if (cpusetCpus === "" && cpusetMems === "") return undefined;
  return { ...(cpusetCpus === "" ? {} : { cpus: cpusetCpus }), ...(cpusetMems === "" ? {} : { mems: cpusetMems }) };
}

function check(resources: Resources, facts: LimitFacts): void {
  checkBlockLimits(resources);
  checkRealtime(resources, facts);
  const { cpus } = facts;
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, nanoCpus, cpuQuotaUs, cpuPeriodUs } = resources;
  if (memoryBytes !== 0 && memoryBytes < LEAST_MEMORY_BYTES) {
    throw invalid(`a memory limit of ${memoryBytes} bytes`, "the least is 6 MB", "give it at least 6m");
  }
  if (memorySwapBytes !== 0 && memoryBytes === 0) {
    throw invalid("a swap limit", "there is no memory limit beside it", "add --memory");
  }
  if (memorySwapBytes > 0 && memorySwapBytes < memoryBytes) {
    throw invalid("a swap limit", "it counts memory too and is below the memory limit", "raise it, or use -1");
  }
  if (memoryReservationBytes > 0 && memoryBytes > 0 && memoryReservationBytes > memoryBytes) {
    throw invalid("a memory reservation", "it is above the memory limit", "lower it");
  }
  if (nanoCpus > 0 && (cpuQuotaUs !== 0 || cpuPeriodUs !== 0)) {
    throw invalid("--cpus", "a CPU quota or period is given too", "use one or the other");
  }
  if (nanoCpus !== 0 && (nanoCpus < NANO / 100 || nanoCpus > cpus * NANO)) {
    throw invalid(`${nanoCpus / NANO} CPUs`, `this host has ${cpus}`, `choose from 0.01 to ${cpus}.00`);
  }
  if (cpuPeriodUs !== 0 && (cpuPeriodUs < 1000 || cpuPeriodUs > 1_000_000)) {
    throw invalid(`a CPU period of ${cpuPeriodUs} µs`, "it is out of bounds", "choose from 1000 to 1000000");
  }
  if (cpuQuotaUs > 0 && cpuQuotaUs < 1000) {
    throw invalid(`a CPU quota of ${cpuQuotaUs} µs`, "it is out of bounds", "choose at least 1000");
  }
  checkCpuset(resources.cpusetCpus, cpus);
}

function checkRealtime(resources: Resources, { hasCpuRealtime }: LimitFacts): void {
  const { memorySwappiness = 0, cpuRealtimePeriodUs = 0, cpuRealtimeRuntimeUs = 0 } = resources;
  if (memorySwappiness < 0 || memorySwappiness > 100) {
    throw invalid(
      `a swappiness of ${memorySwappiness}`,
      "valid memory swappiness range is 0-100",
      "choose from 0 to 100",
    );
  }
  if (cpuRealtimePeriodUs === 0 && cpuRealtimeRuntimeUs === 0) return;
  if (!hasCpuRealtime) {
    throw new CtlError("FAILED_PRECONDITION", {
      reason: "LIMIT_UNAVAILABLE",
      what: "limit the container's real-time CPU time",
      why: "your kernel does not support CPU real-time scheduler",
      fix: "leave out --cpu-rt-period and --cpu-rt-runtime",
    });
  }
  if (cpuRealtimeRuntimeUs > cpuRealtimePeriodUs && cpuRealtimePeriodUs !== 0) {
    const why = "cpu real-time runtime cannot be higher than cpu real-time period";
    throw invalid("real-time CPU time", why, "lower --cpu-rt-runtime");
  }
}

function checkCpuset(list: string, cpus: number): void {
  if (list === "") return;
  const parts = list.split(",").map((part) => /^(\d+)(?:-(\d+))?$/.exec(part));
  const isListed = parts.every((part) => {
    const first = Number(part?.[1] ?? Number.NaN);
    const last = Number(part?.[2] ?? first);
    return first <= last && last < cpus;
  });
  if (!isListed) throw invalid(`the CPUs "${list}"`, `this host has the CPUs 0 to ${cpus - 1}`, "write 0-1 or 0,1");
}

async function isMissing(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) === undefined;
}

export function invalid(limit: string, why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LIMIT_INVALID",
    what: `limit the container to ${limit}`,
    why,
    fix,
  });
}
