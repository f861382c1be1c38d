import { type ContainerState, isUp } from "../lifecycle.ts";
import type { Healthcheck } from "./check.ts";

export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** One probe as it was: Docker's fields. */
export interface Probe {
  readonly start: Date;
  readonly end: Date;
  /** -1: it timed out or could not be started. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: HealthStatus;
  readonly failingStreak: number;
  /** The last five, oldest first. */
  readonly log: readonly Probe[];
}

const LOG_LENGTH = 5;

/** One that does not run is not healthy, as in Docker. */
export function shownHealth(state: ContainerState, status: HealthStatus): HealthStatus {
  return isUp(state) ? status : "unhealthy";
}

/**
 * Health after one more probe. One success is health; as many failures in a row as the check's retries are none. Failures
 * within the start period count for nothing until the first success.
 */
export function afterProbe(before: Health, probe: Probe, check: Healthcheck, startedAt: Date): Health {
  const log = [...before.log, probe].slice(-LOG_LENGTH);
  if (probe.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  const isForgiven = before.status === "starting" && probe.start.getTime() - startedAt.getTime() < check.startPeriodMs;
  if (isForgiven) return { ...before, log };
  const failingStreak = before.failingStreak + 1;
  return { status: failingStreak >= check.retries ? "unhealthy" : before.status, failingStreak, log };
}
