import type { WatchStatsRequest, WatchStatsResponse } from "#proto/ctl/containers/v1/containers.ts";
import { timestampOf } from "../../kit/timestamp.ts";
import type { Sample } from "../stats/sample.ts";
import type { StatsSampler } from "../stats/sampler.ts";

/** Serves `WatchStats`. */
export async function* statsCall(
  { refs, all, once }: WatchStatsRequest,
  sampler: StatsSampler,
  signal: AbortSignal,
): AsyncGenerator<WatchStatsResponse> {
  if (once) yield response(await sampler.once({ refs, all }));
  else for await (const samples of sampler.watch({ refs, all }, signal)) yield response(samples);
}

function response(samples: readonly Sample[]): WatchStatsResponse {
  return { containers: samples.map(({ id, name, usage }) => ({ id, name, usage: usageMessage(usage) })) };
}

function usageMessage(usage: Sample["usage"]) {
  if (usage === undefined) return undefined;
  const { run, cpu, memory, pids, block, interfaces } = usage;
  return {
    run,
    read: timestampOf(usage.readAt),
    cpu: { ...cpu, perCpuUs: [...cpu.perCpuUs], hostUs: usage.hostUs, onlineCpus: usage.onlineCpus },
    memory: { ...memory, limitBytes: usage.limitBytes, counters: { ...memory.counters } },
    pids: pids.current,
    pidsLimit: pids.limit,
    block: [...block],
    interfaces: [...interfaces],
  };
}
