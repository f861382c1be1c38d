/** Docker's `--restart`. */
export type RestartPolicy =
  | { readonly mode: "no" }
  | { readonly mode: "always" }
  | { readonly mode: "unless-stopped" }
  /** 0 retries: no limit. */
  | { readonly mode: "on-failure"; readonly maxRetries: number };

export interface ExitedRun {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  /** A person asked for this end (stop, kill, rm). */
  readonly isStoppedByUser: boolean;
  /** How long the run that ended had lasted. */
  readonly ranMs: number;
  /** Restarts by policy since the last start by a person. */
  readonly restartCount: number;
  /** What was waited before the run that ended; 0 after a start by a person. */
  readonly lastDelayMs: number;
}

export type RestartVerdict = { readonly restart: false } | { readonly restart: true; readonly delayMs: number };

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
const STEADY_RUN_MS = 10_000;

/**
 * Whether an exited run is followed by another one, and after which wait: 100 ms, doubled for every run that ended
 * before it had lasted 10 s, at most a minute.
 */
export function afterExit(run: ExitedRun): RestartVerdict {
  if (run.isStoppedByUser || !wantsRestart(run)) return { restart: false };
  return { restart: true, delayMs: nextDelayMs(run) };
}

/**
 * Whether a container that does not run is started when the daemon finds it so at its own start (a boot, or exits that
 * nobody saw). `unless-stopped` differs from `always` here alone: a stop by a person outlasts the daemon.
 */
export function afterDaemonStart(policy: RestartPolicy, last: { exitCode: number; isStoppedByUser: boolean }): boolean {
  switch (policy.mode) {
    case "no":
      return false;
    case "always":
      return true;
    case "unless-stopped":
      return !last.isStoppedByUser;
    case "on-failure":
      return last.exitCode !== 0 && !last.isStoppedByUser;
    default:
      return policy satisfies never;
  }
}

function wantsRestart({ policy, exitCode, restartCount }: ExitedRun): boolean {
  switch (policy.mode) {
    case "no":
      return false;
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return exitCode !== 0 && (policy.maxRetries === 0 || restartCount < policy.maxRetries);
    default:
      return policy satisfies never;
  }
}

function nextDelayMs({ ranMs, lastDelayMs }: ExitedRun): number {
  if (ranMs >= STEADY_RUN_MS || lastDelayMs === 0) return FIRST_DELAY_MS;
  return Math.min(lastDelayMs * 2, LONGEST_DELAY_MS);
}
