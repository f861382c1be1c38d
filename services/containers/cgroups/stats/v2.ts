import {
  type BlockUsage,
  type CgroupUsage,
  type FileText,
  parseFlat,
  parseMax,
  toNumber,
  withoutIdleCache,
} from "./usage.ts";

/** The files that are read, see the kernel's Documentation/admin-guide/cgroup-v2.rst. */
export const V2_FILES = [
  "cpu.stat",
  "memory.current",
  "memory.max",
  "memory.peak",
  "memory.events",
  "memory.stat",
  "pids.current",
  "pids.max",
  "io.stat",
] as const;

export type V2Texts = Readonly<Record<(typeof V2_FILES)[number], FileText>>;

export function parseV2(texts: V2Texts): CgroupUsage {
  const times = parseFlat(texts["cpu.stat"]);
  const counters = parseFlat(texts["memory.stat"]);
  const usageBytes = toNumber(texts["memory.current"]);
  return {
    cpu: {
      totalUs: times["usage_usec"] ?? 0,
      userUs: times["user_usec"] ?? 0,
      systemUs: times["system_usec"] ?? 0,
      periods: times["nr_periods"] ?? 0,
      throttledPeriods: times["nr_throttled"] ?? 0,
      throttledUs: times["throttled_usec"] ?? 0,
      perCpuUs: [],
    },
    memory: {
      usedBytes: withoutIdleCache(usageBytes, counters["inactive_file"] ?? 0),
      usageBytes,
      limitBytes: parseMax(texts["memory.max"]),
      peakBytes: texts["memory.peak"] === undefined ? undefined : toNumber(texts["memory.peak"]),
      failCount: parseFlat(texts["memory.events"])["max"] ?? 0,
      counters,
    },
    pids: { current: toNumber(texts["pids.current"]), limit: parseMax(texts["pids.max"]) },
    block: blockOf(texts["io.stat"]),
  };
}

/** `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0` lines. */
function blockOf(text: FileText): BlockUsage[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const [, major, minor, rest] = /^(\d+):(\d+) (.+)$/.exec(line) ?? [];
    if (rest === undefined) return [];
    const counts = parseFlat(rest.replaceAll(" ", "\n").replaceAll("=", " "));
    const of = (operation: string, bytes: string, operations: string) => ({
      ...{ major: Number(major), minor: Number(minor), operation },
      ...{ bytes: counts[bytes] ?? 0, operations: counts[operations] ?? 0 },
    });
    return [of("read", "rbytes", "rios"), of("write", "wbytes", "wios")];
  });
}
