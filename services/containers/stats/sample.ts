import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { parseProcessStat } from "../../kit/linux/process-identity.ts";
import { containerCgroups } from "../cgroups/placement.ts";
import { readCgroupUsage } from "../cgroups/stats/read.ts";
import type { CgroupUsage } from "../cgroups/stats/usage.ts";
import type { ContainerHost } from "../host/host.ts";
import { isUp } from "../lifecycle.ts";
import type { ContainerId } from "../spec/spec.ts";
import type { StatsRow } from "../store/stats.ts";
import { type InterfaceUsage, parseInterfaces } from "./interfaces.ts";

export interface Sample {
  readonly id: string;
  readonly name: string;
  /** Undefined: it does not run. */
  readonly usage: (CgroupUsage & RunUsage) | undefined;
}

interface RunUsage {
  readonly run: number;
  readonly readAt: Date;
  readonly limitBytes: number;
  /** Of all of the host's CPUs since its boot, idle or not. */
  readonly hostUs: number;
  readonly onlineCpus: number;
  readonly interfaces: readonly InterfaceUsage[];
}

export type SampledHost = Pick<ContainerHost, "layout" | "cgroupParent">;

/** What a container uses now. */
export function sample(row: StatsRow, host: SampledHost): Sample {
  const { id, name, run } = row;
  if (!isUp(row.state)) return { id, name, usage: undefined };
  const { payload } = containerCgroups(host.cgroupParent, id as ContainerId, row.cgroup_parent);
  const used = readCgroupUsage(host.layout, payload);
  if (used === undefined) return { id, name, usage: undefined };
  const limitBytes = Math.min(used.memory.limitBytes ?? Number.POSITIVE_INFINITY, totalmem());
  const more = { limitBytes, hostUs: hostCpuUs(), onlineCpus: availableParallelism(), interfaces: interfacesOf(row) };
  return { id, name, usage: { run, readAt: new Date(), ...used, ...more } };
}

const TICK_US = 10_000;

/** The first seven columns of /proc/stat's first line, as Docker adds them up: what the hypervisor took is not there. */
function hostCpuUs(): number {
  const text = readFileSync("/proc/stat", "utf8");
  const ticks = text.slice(0, text.indexOf("\n")).split(/\s+/).slice(1, 8);
  return ticks.reduce((sum, one) => sum + Number(one), 0) * TICK_US;
}

/** None with the host's network, whose counters are not the container's. */
function interfacesOf({ pid, start_ticks: startTicks, netns_path: netnsPath }: StatsRow): InterfaceUsage[] {
  if (netnsPath === "") return [];
  try {
    // the number may be another process's by now
    if (parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8")).startTicks !== Number(startTicks)) return [];
    return parseInterfaces(readFileSync(`/proc/${pid}/net/dev`, "utf8"));
  } catch {
    return []; // it has just ended
  }
}
