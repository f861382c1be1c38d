import type { V1Controller } from "../layout.ts";
import {
  type BlockUsage,
  type CgroupUsage,
  type FileText,
  parseFlat,
  parseMax,
  toNumber,
  withoutIdleCache,
} from "./usage.ts";

/** The files that are read, see the kernel's Documentation/admin-guide/cgroup-v1. */
export const V1_FILES = {
  "cpuacct.usage": "cpuacct",
  "cpuacct.usage_percpu": "cpuacct",
  "cpuacct.stat": "cpuacct",
  "cpu.stat": "cpu",
  "memory.usage_in_bytes": "memory",
  "memory.max_usage_in_bytes": "memory",
  "memory.limit_in_bytes": "memory",
  "memory.failcnt": "memory",
  "memory.stat": "memory",
  "pids.current": "pids",
  "pids.max": "pids",
  "blkio.throttle.io_service_bytes_recursive": "blkio",
  "blkio.throttle.io_serviced_recursive": "blkio",
  "blkio.bfq.io_service_bytes_recursive": "blkio",
  "blkio.bfq.io_serviced_recursive": "blkio",
} as const satisfies Record<string, V1Controller>;

export type V1Texts = Readonly<Record<keyof typeof V1_FILES, FileText>>;

/** v1 says "no limit" as the largest multiple of a page below 2⁶³. */
const NO_LIMIT = 2 ** 62;
/** `cpuacct.stat` counts in USER_HZ, which is 100 on every architecture that Linux has today. */
const TICK_US = 10_000;

export function parseV1(texts: V1Texts): CgroupUsage {
  const ticks = parseFlat(texts["cpuacct.stat"]);
  const times = parseFlat(texts["cpu.stat"]);
  const counters = parseFlat(texts["memory.stat"]);
  const usageBytes = toNumber(texts["memory.usage_in_bytes"]);
  const perCpu = (texts["cpuacct.usage_percpu"] ?? "").trim();
  return {
    cpu: {
      totalUs: microseconds(toNumber(texts["cpuacct.usage"])),
      userUs: (ticks["user"] ?? 0) * TICK_US,
      systemUs: (ticks["system"] ?? 0) * TICK_US,
      periods: times["nr_periods"] ?? 0,
      throttledPeriods: times["nr_throttled"] ?? 0,
      throttledUs: microseconds(times["throttled_time"] ?? 0),
      perCpuUs: perCpu === "" ? [] : perCpu.split(/\s+/).map((ns) => microseconds(Number(ns))),
    },
    memory: {
      usedBytes: withoutIdleCache(usageBytes, counters["total_inactive_file"] ?? 0),
      usageBytes,
      limitBytes: limitOf(texts["memory.limit_in_bytes"]),
      peakBytes: numberOrNone(texts["memory.max_usage_in_bytes"]),
      failCount: toNumber(texts["memory.failcnt"]),
      counters,
    },
    pids: { current: toNumber(texts["pids.current"]), limit: parseMax(texts["pids.max"]) },
    block: blockOf(texts),
  };
}

function limitOf(text: FileText): number | undefined {
  const limit = numberOrNone(text);
  return limit === undefined || limit >= NO_LIMIT ? undefined : limit;
}

function numberOrNone(text: FileText): number | undefined {
  return text === undefined ? undefined : toNumber(text);
}

function microseconds(ns: number): number {
  return Math.round(ns / 1_000);
}

/** The throttle counts what any scheduler did, but since Linux 6.10 only where it was once set; BFQ counts its own. */
function blockOf(texts: V1Texts): BlockUsage[] {
  const all = operationsOf(
    texts["blkio.throttle.io_service_bytes_recursive"],
    texts["blkio.throttle.io_serviced_recursive"],
  );
  if (all.length > 0) return all;
  return operationsOf(texts["blkio.bfq.io_service_bytes_recursive"], texts["blkio.bfq.io_serviced_recursive"]);
}

function operationsOf(bytes: FileText, operations: FileText): BlockUsage[] {
  const counts = new Map(deviceLines(operations).map(({ key, value }) => [key, value]));
  return deviceLines(bytes).map(({ key, major, minor, operation, value }) => ({
    ...{ major, minor, operation, bytes: value },
    operations: counts.get(key) ?? 0,
  }));
}

/** `8:0 Read 4096` lines; the last, `Total 4096`, is of no device. */
function deviceLines(text: FileText) {
  return (text ?? "").split("\n").flatMap((line) => {
    const [, key = "", major, minor, operation = "", value] = /^((\d+):(\d+) (\w+)) (\d+)$/.exec(line) ?? [];
    return key === "" ? [] : [{ key, major: Number(major), minor: Number(minor), operation, value: Number(value) }];
  });
}
