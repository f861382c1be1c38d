import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { type CgroupLayout, controllerDirectory, directoriesOf, type V1Controller } from "./layout.ts";

/** What a container uses, at one moment. Undefined or 0 where the host's kernel does not count it. */
export interface ContainerStats {
  readonly readAt: Date;
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    readonly onlineCpus: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    /** As Docker shows it: without the file cache that the kernel can drop at once. */
    readonly usedBytes: number;
    readonly usageBytes: number;
    /** Undefined: no limit. */
    readonly limitBytes: number | undefined;
    readonly stat: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  readonly blkio: { readonly readBytes: number; readonly writeBytes: number };
}

/** v1 says "no limit" as the largest multiple of a page below 2⁶³. */
const V1_NO_LIMIT = 2 ** 62;
const USER_HZ_NS = 10_000_000;

/** Reads a container's cgroup; 0.5 ms. Throws NOT_FOUND CGROUP_GONE once the container has ended. */
export async function readStats(layout: CgroupLayout, path: string, now: () => Date): Promise<ContainerStats> {
  const [directory = ""] = directoriesOf(layout, path);
  const isThere = await stat(directory).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    throw new CtlError("NOT_FOUND", {
      reason: "CGROUP_GONE",
      what: "read the container's use of the host",
      why: "it does not run any more",
    });
  }
  const files = openFiles(layout, path);
  return layout.mode === "v2" ? readV2(files, now) : readV1(files, now);
}

interface CgroupFiles {
  /** Undefined: there is no such file. */
  read(controller: V1Controller, name: string): Promise<string | undefined>;
}

function openFiles(layout: CgroupLayout, path: string): CgroupFiles {
  return {
    read: async (controller, name) => {
      const directory = controllerDirectory(layout, controller, path);
      if (directory === undefined) return undefined;
      return readFile(join(directory, name), "utf8").catch(() => undefined);
    },
  };
}

async function readV1(files: CgroupFiles, now: () => Date): Promise<ContainerStats> {
  const [usage, cpuacct, cpu, memoryUsage, memoryLimit, memoryStat, pids, pidsMax, blkio] = await Promise.all([
    files.read("cpuacct", "cpuacct.usage"),
    files.read("cpuacct", "cpuacct.stat"),
    files.read("cpu", "cpu.stat"),
    files.read("memory", "memory.usage_in_bytes"),
    files.read("memory", "memory.limit_in_bytes"),
    files.read("memory", "memory.stat"),
    files.read("pids", "pids.current"),
    files.read("pids", "pids.max"),
    files.read("blkio", "blkio.throttle.io_service_bytes"),
  ]);
  const ticks = parseFlat(cpuacct);
  const times = parseFlat(cpu);
  const memory = parseFlat(memoryStat);
  return {
    readAt: now(),
    cpu: {
      totalNs: toNumber(usage),
      userNs: (ticks["user"] ?? 0) * USER_HZ_NS,
      systemNs: (ticks["system"] ?? 0) * USER_HZ_NS,
      onlineCpus: availableParallelism(),
      periods: times["nr_periods"] ?? 0,
      throttledPeriods: times["nr_throttled"] ?? 0,
      throttledNs: times["throttled_time"] ?? 0,
    },
    memory: memoryStats(toNumber(memoryUsage), memory["total_inactive_file"] ?? 0, v1Limit(memoryLimit), memory),
    pids: { current: toNumber(pids), limit: parseMax(pidsMax) },
    blkio: parseV1Blkio(blkio),
  };
}

async function readV2(files: CgroupFiles, now: () => Date): Promise<ContainerStats> {
  const [cpu, memoryUsage, memoryMax, memoryStat, pids, pidsMax, io] = await Promise.all([
    files.read("cpu", "cpu.stat"),
    files.read("memory", "memory.current"),
    files.read("memory", "memory.max"),
    files.read("memory", "memory.stat"),
    files.read("pids", "pids.current"),
    files.read("pids", "pids.max"),
    files.read("blkio", "io.stat"),
  ]);
  const times = parseFlat(cpu);
  const memory = parseFlat(memoryStat);
  const us = (name: string) => (times[name] ?? 0) * 1000;
  return {
    readAt: now(),
    cpu: {
      totalNs: us("usage_usec"),
      userNs: us("user_usec"),
      systemNs: us("system_usec"),
      onlineCpus: availableParallelism(),
      periods: times["nr_periods"] ?? 0,
      throttledPeriods: times["nr_throttled"] ?? 0,
      throttledNs: us("throttled_usec"),
    },
    memory: memoryStats(toNumber(memoryUsage), memory["inactive_file"] ?? 0, parseMax(memoryMax), memory),
    pids: { current: toNumber(pids), limit: parseMax(pidsMax) },
    blkio: parseV2Io(io),
  };
}

function memoryStats(
  usageBytes: number,
  inactiveFileBytes: number,
  limitBytes: number | undefined,
  counters: Record<string, number>,
): ContainerStats["memory"] {
  const usedBytes = inactiveFileBytes < usageBytes ? usageBytes - inactiveFileBytes : usageBytes;
  return { usedBytes, usageBytes, limitBytes, stat: counters };
}

/** `name value` lines. */
function parseFlat(text: string | undefined): Record<string, number> {
  const pairs = (text ?? "").split("\n").map((line) => line.split(" "));
  return Object.fromEntries(
    pairs.flatMap(([name = "", value]) => (value === undefined ? [] : [[name, Number(value)]])),
  );
}

/** `8:0 Read 4096` lines. */
function parseV1Blkio(text: string | undefined): ContainerStats["blkio"] {
  const sums = { Read: 0, Write: 0 };
  for (const line of (text ?? "").split("\n")) {
    const [, operation, bytes] = line.split(" ");
    if (operation === "Read" || operation === "Write") sums[operation] += Number(bytes);
  }
  return { readBytes: sums.Read, writeBytes: sums.Write };
}

/** `8:0 rbytes=4096 wbytes=0 …` lines. */
function parseV2Io(text: string | undefined): ContainerStats["blkio"] {
  const sum = (name: string) =>
    [...(text ?? "").matchAll(new RegExp(`\\b${name}=(\\d+)`, "g"))].reduce((all, match) => all + Number(match[1]), 0);
  return { readBytes: sum("rbytes"), writeBytes: sum("wbytes") };
}

function v1Limit(text: string | undefined): number | undefined {
  const limit = toNumber(text);
  return text === undefined || limit >= V1_NO_LIMIT ? undefined : limit;
}

function parseMax(text: string | undefined): number | undefined {
  const value = (text ?? "max").trim();
  return value === "max" ? undefined : Number(value);
}

function toNumber(text: string | undefined): number {
  return Number((text ?? "0").trim());
}
