import type { BlockUsage, ContainerStats, CpuUsage, ResourceUsage } from "#proto/ctl/containers/v1/containers.ts";
import { humanMemory, humanSize, shortId } from "./human.ts";
import type { Row, RowShape } from "./rows.ts";

/** `docker stats`: its fields, and the columns of its table. `MemPeak` is ours. */
export const STATS_SHAPE: RowShape = {
  headings: {
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    Name: "NAME",
    CPUPerc: "CPU %",
    MemUsage: "MEM USAGE / LIMIT",
    MemPerc: "MEM %",
    NetIO: "NET I/O",
    BlockIO: "BLOCK I/O",
    PIDs: "PIDS",
    MemPeak: "MEM PEAK",
  },
  columns: ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"],
};

/** `previous`: what it used a moment before; without it there is no share of the CPU yet. */
export function statsRow(stats: ContainerStats, previous: ResourceUsage | undefined, isWhole: boolean): Row {
  const { usage } = stats;
  const id = isWhole ? stats.id : shortId(stats.id);
  const { usedBytes = 0, limitBytes = 0, peakBytes } = usage?.memory ?? {};
  const interfaces = usage?.interfaces ?? [];
  return {
    Container: id,
    ID: id,
    Name: stats.name,
    CPUPerc: usage === undefined ? percent(0) : cpuText(usage, previous),
    MemUsage: pair(humanMemory, usedBytes, limitBytes),
    MemPerc: percent(limitBytes === 0 ? 0 : usedBytes / limitBytes),
    NetIO: pair(
      humanSize,
      sum(interfaces.map(({ rxBytes }) => rxBytes)),
      sum(interfaces.map(({ txBytes }) => txBytes)),
    ),
    BlockIO: pair(humanSize, blockBytes(usage?.block, "read"), blockBytes(usage?.block, "write")),
    PIDs: String(usage?.pids ?? 0),
    MemPeak: peakBytes === undefined ? "--" : humanMemory(peakBytes),
  };
}

/** Of one CPU, so that two busy ones are 200%. */
function cpuText({ run, cpu }: ResourceUsage, previous: ResourceUsage | undefined): string {
  if (cpu === undefined || previous?.cpu === undefined || previous.run !== run) return "--";
  return percent(cpuShare(cpu, previous.cpu));
}

function cpuShare(now: CpuUsage, before: CpuUsage): number {
  const hostUs = now.hostUs - before.hostUs;
  return hostUs <= 0 ? 0 : (Math.max(0, now.totalUs - before.totalUs) / hostUs) * now.onlineCpus;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function pair(human: (bytes: number) => string, one: number, other: number): string {
  return `${human(one)} / ${human(other)}`;
}

function blockBytes(block: readonly BlockUsage[] = [], operation: "read" | "write"): number {
  return sum(block.filter((one) => one.operation.toLowerCase() === operation).map(({ bytes }) => bytes));
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}
