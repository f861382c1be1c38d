import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import type { Resources } from "../spec/spec.ts";
import { type CgroupLayout, controllerDirectory, type V1Controller } from "./layout.ts";
import type { LimitFacts } from "./limits.ts";

/** One file of a cgroup and what is to be in it. */
export interface LimitWrite {
  readonly path: string;
  readonly value: string;
}

const PERIOD_US = 100_000;
const NANO = 1_000_000_000;
const UNLIMITED = Number.POSITIVE_INFINITY;

/**
 * What has to be written into a running container's cgroup for its limits to become others, in an order that the kernel
 * takes; nothing for what stays, or what this host cannot limit.
 */
export function limitWrites(
  layout: CgroupLayout,
  cgroup: string,
  change: { readonly before: Resources; readonly after: Resources },
  facts: LimitFacts,
): LimitWrite[] {
  const filesOf = layout.mode === "v2" ? filesOfV2 : filesOfV1;
  const before = new Map(filesOf(change.before, facts).map(({ file, value }) => [file, value]));
  const grows = memoryLimit(change.after) > memoryLimit(change.before);
  const changed = filesOf(change.after, facts).filter(({ file, value }) => value !== before.get(file));
  // v1 wants memory and swap together to be at least the memory's limit at every moment
  const ordered = grows ? changed.toReversed() : changed;
  return ordered.flatMap(({ controller, file, value }) => {
    const directory = controllerDirectory(layout, controller, cgroup);
    return directory === undefined ? [] : [{ path: join(directory, file), value }];
  });
}

/**
 * Writes all of it, or nothing: what was written before a refusal gets its old value again. Answers what undoes it.
 * Throws FAILED_PRECONDITION LIMIT_REFUSED.
 */
export async function applyLimits(writes: readonly LimitWrite[], what: string): Promise<() => Promise<void>> {
  const done: LimitWrite[] = [];
  const undo = async (): Promise<void> => {
    for (const { path, value } of done.toReversed()) await writeFile(path, value).catch(() => {});
  };
  for (const { path, value } of writes) {
    try {
      const old = (await readFile(path, "utf8")).trim();
      await checkUsage(path, value);
      await writeFile(path, value);
      done.push({ path, value: old === "" ? "\n" : old });
    } catch (cause) {
      await undo();
      throw cause instanceof CtlError ? cause : refused(what, path, cause);
    }
  }
  return undo;
}

/** v2 takes a limit below what is used, and kills to enforce it; v1 refuses it, as we do here. */
async function checkUsage(path: string, value: string): Promise<void> {
  if (!path.endsWith("/memory.max") || value === "max") return;
  const stat = await readFile(path.replace(/memory\.max$/, "memory.stat"), "utf8");
  const bytesOf = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stat)?.[1] ?? 0);
  if (bytesOf("anon") + bytesOf("shmem") > Number(value)) throw Object.assign(new Error("in use"), { code: "EBUSY" });
}

interface LimitFile {
  readonly controller: V1Controller;
  readonly file: string;
  readonly value: string;
}

function filesOfV1(resources: Resources, facts: LimitFacts): LimitFile[] {
  const { memoryReservationBytes, cpuShares, pidsLimit, blkioWeight } = resources;
  const { quota, period } = cpuTime(resources);
  return [
    bytesV1("memory.limit_in_bytes", memoryLimit(resources), facts.hasMemory),
    bytesV1("memory.memsw.limit_in_bytes", swapLimit(resources), facts.hasSwap),
    bytesV1("memory.soft_limit_in_bytes", memoryReservationBytes || UNLIMITED, facts.hasMemory),
    said("cpu", "cpu.shares", cpuShares || 1024, facts.hasCpuQuota),
    said("cpu", "cpu.cfs_period_us", period, facts.hasCpuQuota),
    said("cpu", "cpu.cfs_quota_us", quota === UNLIMITED ? -1 : quota, facts.hasCpuQuota),
    ...cpusets(resources, facts),
    said("pids", "pids.max", pidsLimit > 0 ? pidsLimit : "max", facts.hasPids),
    said("blkio", "blkio.weight", blkioWeight || 500, facts.hasBlkioWeight),
  ].flat();
}

function filesOfV2(resources: Resources, facts: LimitFacts): LimitFile[] {
  const { memoryReservationBytes, cpuShares, pidsLimit, blkioWeight } = resources;
  const { quota, period } = cpuTime(resources);
  const limit = memoryLimit(resources);
  const swap = swapLimit(resources);
  return [
    said("memory", "memory.max", limit === UNLIMITED ? "max" : limit, facts.hasMemory),
    said("memory", "memory.swap.max", swap === UNLIMITED ? "max" : swap - limit, facts.hasSwap),
    said("memory", "memory.low", memoryReservationBytes, facts.hasMemory),
    // the runtimes' translation of v1's shares (2 to 262144) and weights (10 to 1000)
    said(
      "cpu",
      "cpu.weight",
      cpuShares === 0 ? 100 : 1 + Math.floor(((cpuShares - 2) * 9999) / 262142),
      facts.hasCpuQuota,
    ),
    said("cpu", "cpu.max", `${quota === UNLIMITED ? "max" : quota} ${period}`, facts.hasCpuQuota),
    ...cpusets(resources, facts),
    said("pids", "pids.max", pidsLimit > 0 ? pidsLimit : "max", facts.hasPids),
    said(
      "blkio",
      "io.weight",
      blkioWeight === 0 ? 100 : 1 + Math.floor(((blkioWeight - 10) * 9999) / 990),
      facts.hasBlkioWeight,
    ),
  ].flat();
}

function said(controller: V1Controller, file: string, value: number | string, isPossible: boolean): LimitFile[] {
  return isPossible ? [{ controller, file, value: String(value) }] : [];
}

function bytesV1(file: string, bytes: number, isPossible: boolean): LimitFile[] {
  return said("memory", file, bytes === UNLIMITED ? -1 : bytes, isPossible);
}

/** Nothing asked for: whatever the cgroup above has, which cannot be said. */
function cpusets({ cpusetCpus, cpusetMems }: Resources, { hasCpuset }: LimitFacts): LimitFile[] {
  return [
    said("cpuset", "cpuset.cpus", cpusetCpus, hasCpuset && cpusetCpus !== ""),
    said("cpuset", "cpuset.mems", cpusetMems, hasCpuset && cpusetMems !== ""),
  ].flat();
}

function memoryLimit({ memoryBytes }: Resources): number {
  return memoryBytes > 0 ? memoryBytes : UNLIMITED;
}

/** Memory and swap together: as much swap as memory when nothing is said. */
function swapLimit({ memoryBytes, memorySwapBytes }: Resources): number {
  if (memoryBytes <= 0 || memorySwapBytes < 0) return UNLIMITED;
  return memorySwapBytes === 0 ? memoryBytes * 2 : memorySwapBytes;
}

function cpuTime({ nanoCpus, cpuQuotaUs, cpuPeriodUs }: Resources) {
  if (nanoCpus > 0) return { period: PERIOD_US, quota: Math.round((nanoCpus * PERIOD_US) / NANO) };
  return { period: cpuPeriodUs || PERIOD_US, quota: cpuQuotaUs > 0 ? cpuQuotaUs : UNLIMITED };
}

function refused(what: string, path: string, cause: unknown): CtlError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const file = path.slice(path.lastIndexOf("/") + 1);
  const isUsed = code === "EBUSY";
  return new CtlError("FAILED_PRECONDITION", {
    reason: "LIMIT_REFUSED",
    what,
    why: isUsed
      ? `more than that is in use (${file}); all limits are as they were`
      : `the kernel refuses ${file}${code === "" ? "" : ` (${code})`}; all limits are as they were`,
    fix: isUsed ? "choose a higher limit, or stop the container first" : "choose another value",
    cause,
  });
}
