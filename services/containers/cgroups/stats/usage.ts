/** What a cgroup has used since it was made, at one moment. 0 where the host's kernel does not count it. */
export interface CgroupUsage {
  readonly cpu: CpuUsage;
  readonly memory: MemoryUsage;
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  readonly block: readonly BlockUsage[];
}

export interface CpuUsage {
  readonly totalUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledUs: number;
  /** Only of v1. */
  readonly perCpuUs: readonly number[];
}

export interface MemoryUsage {
  /** As Docker shows it: without the file cache that the kernel can drop at once. */
  readonly usedBytes: number;
  readonly usageBytes: number;
  /** Undefined: no limit. */
  readonly limitBytes: number | undefined;
  /** Undefined: v2 before Linux 5.19 does not keep it. */
  readonly peakBytes: number | undefined;
  readonly failCount: number;
  /** The kernel's memory.stat. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Of one device and kind of operation. */
export interface BlockUsage {
  readonly major: number;
  readonly minor: number;
  /** As the kernel writes it: `Read` in v1, `read` in v2. */
  readonly operation: string;
  readonly bytes: number;
  readonly operations: number;
}

/** The text of one file of the cgroup; undefined: there is no such file. */
export type FileText = string | undefined;

/** Docker's rule: what of the file cache nobody used lately is free as soon as somebody wants it. */
export function withoutIdleCache(usageBytes: number, inactiveFileBytes: number): number {
  return inactiveFileBytes < usageBytes ? usageBytes - inactiveFileBytes : usageBytes;
}

/** `name value` lines. */
export function parseFlat(text: FileText): Record<string, number> {
  const flat: Record<string, number> = {};
  for (const line of (text ?? "").split("\n")) {
    const at = line.indexOf(" ");
    if (at > 0) flat[line.slice(0, at)] = Number(line.slice(at + 1));
  }
  return flat;
}

export function parseMax(text: FileText): number | undefined {
  const value = (text ?? "max").trim();
  return value === "max" ? undefined : Number(value);
}

export function toNumber(text: FileText): number {
  return Number((text ?? "0").trim());
}
