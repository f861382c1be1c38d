import type { Healthcheck } from "./check.ts";
import type { Health } from "./verdict.ts";

/**
 * When the next probe is due, in milliseconds since the epoch: an interval after the last one of this run has ended, or
 * after the start. While a container starts, within its start period, it is the shorter start interval.
 */
export function nextProbeAt(check: Healthcheck, { status, log }: Health, startedAt: Date, nowMs: number): number {
  const last = log.at(-1);
  const hasProbed = last !== undefined && last.start >= startedAt;
  const fromMs = hasProbed ? last.end.getTime() : startedAt.getTime();
  const isStarting = status === "starting" && nowMs - startedAt.getTime() < check.startPeriodMs;
  return fromMs + (isStarting ? check.startIntervalMs : check.intervalMs);
}
