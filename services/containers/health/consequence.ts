import type { OnUnhealthy } from "./check.ts";
import type { Health } from "./verdict.ts";

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
const STEADY_RUN_MS = 10_000;
const SHOWN_OUTPUT = 200;

/** What follows a failed probe: due again with each one, so that a crash before it was done loses nothing. */
export function consequenceOf(onUnhealthy: OnUnhealthy, { status, failingStreak }: Health): OnUnhealthy {
  return status === "unhealthy" && failingStreak > 0 ? onUnhealthy : "none";
}

/** Docker's backoff of restarts: 100 ms, doubled with every restart for the same reason, at most a minute. */
export function healthRestartDelayMs(restartsBefore: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(restartsBefore, 20), LONGEST_DELAY_MS);
}

/** A run that was found healthy after it had lasted 10 s ends a row of restarts. */
export function endsRestarts({ status }: Health, startedAt: Date, nowMs: number): boolean {
  return status === "healthy" && nowMs - startedAt.getTime() >= STEADY_RUN_MS;
}

/** For people, in `inspect`: what was done, and why. */
export function consequenceText(action: OnUnhealthy, { failingStreak, log }: Health, delayMs: number): string {
  const last = log.at(-1);
  const done = { none: "", stop: "stopped", kill: "killed", restart: `restarted after ${delayMs} ms` }[action];
  const output = last?.output.trim().slice(0, SHOWN_OUTPUT) ?? "";
  const said = output === "" ? "" : `: ${output}`;
  return `${done}: unhealthy, ${failingStreak} probes failed in a row, the last with exit code ${last?.exitCode ?? -1}${said}`;
}
