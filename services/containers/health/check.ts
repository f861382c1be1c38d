import { CtlError } from "../../kit/errors.ts";

/** How a container's health is found out, with nothing left unsaid. */
export interface Healthcheck {
  /** The probe's process, as it is executed. */
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  /** Between probes while it starts, within the start period. */
  readonly startIntervalMs: number;
  /** Failures in a row that make it unhealthy. */
  readonly retries: number;
}

/** What an unhealthy verdict leads to. */
export type OnUnhealthy = "none" | "restart" | "stop" | "kill";

/** A check as a Dockerfile or a caller writes it. 0 and empty: not said. */
export interface WrittenCheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

/** Docker's. */
const DEFAULTS = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 };
const SHELL = ["/bin/sh", "-c"];
const NS_PER_MS = 1e6;

/**
 * The caller's check over the image's, field by field, as Docker mixes them; undefined: none. `shell` is the image's
 * for CMD-SHELL. Throws INVALID_ARGUMENT HEALTHCHECK_INVALID.
 */
export function effectiveCheck(
  own: WrittenCheck | undefined,
  image: WrittenCheck | undefined,
  shell: readonly string[],
): Healthcheck | undefined {
  if (own !== undefined) checkWritten(own);
  const test = own !== undefined && own.test.length > 0 ? own.test : (image?.test ?? []);
  const command = commandOf(test, shell);
  if (command === undefined) return undefined;
  const said = (key: Exclude<keyof WrittenCheck, "test">) => own?.[key] || image?.[key] || 0;
  const ms = (key: "intervalNs" | "timeoutNs" | "startPeriodNs" | "startIntervalNs") => said(key) / NS_PER_MS;
  return {
    command,
    intervalMs: ms("intervalNs") || DEFAULTS.intervalMs,
    timeoutMs: ms("timeoutNs") || DEFAULTS.timeoutMs,
    startPeriodMs: ms("startPeriodNs") || DEFAULTS.startPeriodMs,
    startIntervalMs: ms("startIntervalNs") || DEFAULTS.startIntervalMs,
    retries: said("retries") || DEFAULTS.retries,
  };
}

function commandOf([kind, ...words]: readonly string[], shell: readonly string[]): readonly string[] | undefined {
  if (kind === undefined || kind === "NONE") return undefined;
  if (words.length === 0) throw invalid(`${kind} names no command`, "write one behind it");
  if (kind === "CMD") return words;
  if (kind === "CMD-SHELL") return [...(shell.length > 0 ? shell : SHELL), words.join(" ")];
  throw invalid(`a check cannot begin with "${kind}"`, "begin it with CMD, CMD-SHELL or NONE");
}

function checkWritten(check: WrittenCheck): void {
  const times = {
    Interval: check.intervalNs,
    Timeout: check.timeoutNs,
    StartPeriod: check.startPeriodNs,
    StartInterval: check.startIntervalNs,
  };
  for (const [name, ns] of Object.entries(times)) {
    if (ns < 0 || (ns > 0 && ns < NS_PER_MS)) throw invalid(`${name} cannot be less than 1ms`, "give it at least 1ms");
  }
  if (check.retries < 0) throw invalid("Retries cannot be negative", "give it at least 1");
}

/** Throws INVALID_ARGUMENT HEALTHCHECK_INVALID. */
export function parseOnUnhealthy(text: string, check: Healthcheck | undefined): OnUnhealthy {
  switch (text) {
    case "":
    case "none":
      return "none";
    case "restart":
    case "stop":
    case "kill":
      if (check === undefined) throw invalid(`"${text}" on failure, and there is no health check`, "give it one");
      return text;
    default:
      throw invalid(`"${text.slice(0, 40)}" is nothing to do on failure`, "one of none, restart, stop and kill");
  }
}

function invalid(why: string, fix: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "HEALTHCHECK_INVALID",
    what: "describe the container's health check",
    why,
    fix,
  });
}
