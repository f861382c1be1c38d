import { invalid } from "../invalid.ts";

/** Nanoseconds. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go's durations in nanoseconds: `30s`, `1h30m`, `1.5s`, `0`. DURATION_INVALID. */
export function parseDuration(given: string): number {
  const nanoseconds = readDuration(given);
  if (nanoseconds !== undefined) return nanoseconds;
  throw invalid("DURATION_INVALID", given, `invalid duration "${given}"`, "numbers with units: 30s, 1m30s, 500ms, 2h");
}

/** Undefined: it is no duration. */
export function readDuration(given: string): number | undefined {
  if (/^[+-]?0$/.test(given)) return 0;
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.exec(given);
  if (match === null) return undefined;
  let total = 0;
  for (const [, amount, unit] of given.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS[unit ?? ""] ?? 0);
  }
  return Math.round(match[1] === "-" ? -total : total);
}
