import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { OciResources } from "../bundle/oci-config.ts";
import type { Resources } from "../spec/spec.ts";
import type { CgroupLayout } from "./layout.ts";

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
    };
  }
  const memory = layout.controllers.get("memory");
  const blkio = layout.controllers.get("blkio");
  return {
    cpus,
    hasMemory: memory !== undefined,
    hasSwap: memory !== undefined && !(await isMissing(join(memory, "memory.memsw.limit_in_bytes"))),
    hasPids: layout.controllers.has("pids"),
    hasCpuQuota: layout.controllers.has("cpu"),
    hasCpuset: layout.controllers.has("cpuset"),
    hasBlkioWeight: blkio !== undefined && !(await isMissing(join(blkio, "blkio.weight"))),
  };
}

/**
 * The limits as the runtime takes them; it translates them to v1's or v2's files itself. As in Docker a memory limit
 * without a word on swap allows as much swap again. Throws INVALID_ARGUMENT LIMIT_INVALID.
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
  const isSwapAsked = resources.memorySwapBytes !== 0 && resources.memoryBytes > 0;
  if (isSwapAsked && facts.hasMemory && !facts.hasSwap) {
    warnings.push("this kernel cannot limit swap: memory limited without swap");
  }
  const cpu = unless(facts.hasCpuQuota, "this kernel cannot limit CPU time: limit discarded", cpuTimeOf(resources));
  const cpuset = unless(facts.hasCpuset, "this kernel has no cpusets: choice of CPUs discarded", cpusetOf(resources));
  const pidsAsked = resources.pidsLimit === 0 ? undefined : { limit: resources.pidsLimit };
  const pids = unless(facts.hasPids, "this kernel cannot limit processes: limit discarded", pidsAsked);
  const weight = resources.blkioWeight === 0 ? undefined : { weight: resources.blkioWeight };
  const blockIO = unless(facts.hasBlkioWeight, "this kernel has no weights for block devices: discarded", weight);
  return {
    resources: {
      ...(memory === undefined ? {} : { memory }),
      ...(cpu === undefined && cpuset === undefined ? {} : { cpu: { ...cpu, ...cpuset } }),
      ...(pids === undefined ? {} : { pids }),
      ...(blockIO === undefined ? {} : { blockIO }),
    },
    warnings,
  };
}

function memoryOf(resources: Resources, facts: LimitFacts): OciResources["memory"] {
  const { memoryBytes, memoryReservationBytes, memorySwapBytes, oomKillDisable } = resources;
  if (memoryBytes === 0 && memoryReservationBytes === 0 && !oomKillDisable) return undefined;
  const swap = memorySwapBytes === 0 ? memoryBytes * 2 : memorySwapBytes;
  return {
    ...(memoryBytes > 0 ? { limit: memoryBytes } : {}),
    ...(memoryBytes > 0 && facts.hasSwap ? { swap } : {}),
    ...(memoryReservationBytes > 0 ? { reservation: memoryReservationBytes } : {}),
    ...(oomKillDisable ? { disableOOMKiller: true } : {}),
  };
}

function cpuTimeOf({ nanoCpus, cpuQuotaUs, cpuPeriodUs, cpuShares }: Resources): OciResources["cpu"] {
  const shares = cpuShares > 0 ? { shares: cpuShares } : {};
  if (nanoCpus > 0) {
    return { ...shares, period: DEFAULT_PERIOD_US, quota: Math.round((nanoCpus * DEFAULT_PERIOD_US) / NANO) };
  }
  if (cpuShares === 0 && cpuQuotaUs === 0 && cpuPeriodUs === 0) return undefined;
  return {
    ...shares,
    ...(cpuQuotaUs !== 0 ? { quota: cpuQuotaUs } : {}),
    ...(cpuPeriodUs > 0 ? { period: cpuPeriodUs } : {}),
  };
}

function cpusetOf({ cpusetCpus, cpusetMems }: Resources): OciResources["cpu"] {
  if (cpusetCpus === "" && cpusetMems === "") return undefined;
  return { ...(cpusetCpus === "" ? {} : { cpus: cpusetCpus }), ...(cpusetMems === "" ? {} : { mems: cpusetMems }) };
}

function check(resources: Resources, { cpus }: LimitFacts): void {
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

function invalid(limit: string, why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "LIMIT_INVALID",
    what: `limit the container to ${limit}`,
    why,
    fix,
  });
}
