import type { ContainerFlags } from "./build.ts";

/** The limits that the flags ask for; 0 where they say nothing. */
export function resourcesOf(flags: ContainerFlags) {
  return {
    ...blockLimitsOf(flags),
    memoryBytes: flags.memory ?? 0,
    memorySwapBytes: flags["memory-swap"] ?? 0,
    memoryReservationBytes: flags["memory-reservation"] ?? 0,
    // -1 is Docker's own default: as the host has it
    memorySwappiness: flags["memory-swappiness"] === -1 ? undefined : flags["memory-swappiness"],
    nanoCpus: flags.cpus ?? 0,
    cpuShares: flags["cpu-shares"] ?? 0,
    cpuPeriodUs: flags["cpu-period"] ?? 0,
    cpuQuotaUs: flags["cpu-quota"] ?? 0,
    cpuRealtimePeriodUs: flags["cpu-rt-period"] ?? 0,
    cpuRealtimeRuntimeUs: flags["cpu-rt-runtime"] ?? 0,
    cpusetCpus: flags["cpuset-cpus"] ?? "",
    cpusetMems: flags["cpuset-mems"] ?? "",
    // -1 and 0 both mean: no limit
    pidsLimit: Math.max(0, flags["pids-limit"] ?? 0),
    oomKillDisable: flags["oom-kill-disable"],
  };
}

function blockLimitsOf(flags: ContainerFlags) {
  return {
    blkioWeight: flags["blkio-weight"] ?? 0,
    blkioWeightDevice: [...flags["blkio-weight-device"]],
    blkioReadBps: [...flags["device-read-bps"]],
    blkioWriteBps: [...flags["device-write-bps"]],
    blkioReadIops: [...flags["device-read-iops"]],
    blkioWriteIops: [...flags["device-write-iops"]],
  };
}
