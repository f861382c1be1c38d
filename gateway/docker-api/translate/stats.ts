import type {
  BlockUsage,
  ContainerStats,
  CpuUsage,
  InterfaceUsage,
  MemoryUsage,
  ResourceUsage,
} from "#proto/ctl/containers/v1/containers.ts";
import { omitEmpty, sorted } from "./go-values.ts";
import { rfc3339Nano, ZERO_TIME } from "./times.ts";

/** Docker's StatsResponse. `previous`: what the same container used a moment before, from which clients make rates. */
export function statsBody({ id, name, usage }: ContainerStats, previous: ResourceUsage | undefined) {
  const before = previous?.run === usage?.run ? previous : undefined;
  return {
    read: rfc3339Nano(usage?.read),
    preread: before === undefined ? ZERO_TIME : rfc3339Nano(before.read),
    pids_stats: { ...omitEmpty("current", usage?.pids), ...omitEmpty("limit", usage?.pidsLimit) },
    blkio_stats: blockStats(usage?.block),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(usage?.cpu),
    precpu_stats: cpuStats(before?.cpu),
    memory_stats: memoryStats(usage?.memory),
    name: `/${name}`,
    os_type: "linux",
    id,
    ...networksOf(usage?.interfaces ?? []),
  };
}

/** Docker counts in nanoseconds; beyond 104 days of CPU time the last digit is not exact. */
function nanoseconds(us: number): number {
  return us * 1_000;
}

function cpuStats(cpu: CpuUsage | undefined) {
  const { totalUs = 0, userUs = 0, systemUs = 0, perCpuUs = [] } = cpu ?? {};
  return {
    cpu_usage: {
      total_usage: nanoseconds(totalUs),
      ...omitEmpty("percpu_usage", perCpuUs.map(nanoseconds)),
      usage_in_kernelmode: nanoseconds(systemUs),
      usage_in_usermode: nanoseconds(userUs),
    },
    ...omitEmpty("system_cpu_usage", nanoseconds(cpu?.hostUs ?? 0)),
    ...omitEmpty("online_cpus", cpu?.onlineCpus),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: nanoseconds(cpu?.throttledUs ?? 0),
    },
  };
}

function memoryStats(memory: MemoryUsage | undefined) {
  if (memory === undefined) return {};
  return {
    usage: memory.usageBytes,
    ...omitEmpty("max_usage", memory.peakBytes),
    stats: sorted(memory.counters),
    ...omitEmpty("failcnt", memory.failCount),
    limit: memory.limitBytes,
  };
}

/** What the kernel's block layer counts; the other lists are of a scheduler that Linux no longer has. */
function blockStats(block: readonly BlockUsage[] | undefined) {
  const entries = (count: (one: BlockUsage) => number) =>
    block?.map((one) => ({ major: one.major, minor: one.minor, op: one.operation, value: count(one) })) ?? null;
  return {
    io_service_bytes_recursive: entries(({ bytes }) => bytes),
    io_serviced_recursive: entries(({ operations }) => operations),
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  };
}

function networksOf(interfaces: readonly InterfaceUsage[]) {
  const networks = interfaces.map((one) => [
    one.name,
    {
      rx_bytes: one.rxBytes,
      rx_packets: one.rxPackets,
      rx_errors: one.rxErrors,
      rx_dropped: one.rxDropped,
      tx_bytes: one.txBytes,
      tx_packets: one.txPackets,
      tx_errors: one.txErrors,
      tx_dropped: one.txDropped,
    },
  ]);
  return omitEmpty("networks", Object.fromEntries(networks));
}
