import { invalid } from "../invalid.ts";
import { readDuration } from "./duration.ts";

/** As google.protobuf.Timestamp. */
export interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

/**
 * Docker's `--since` and `--until`: RFC 3339 (parts may be left out, then local time), seconds since 1970 with up to
 * nine decimals, or a duration back from `now` (milliseconds since 1970). TIME_INVALID.
 */
export function parseTime(given: string, now: number): Instant {
  const unix = /^(\d+)(?:\.(\d{1,9}))?$/.exec(given);
  if (unix !== null) return { seconds: Number(unix[1]), nanos: Number((unix[2] ?? "").padEnd(9, "0")) };
  const ago = readDuration(given);
  if (ago !== undefined) return instantOf(now - Math.trunc(ago / 1e6), ((-ago % 1e6) + 1e6) % 1e6);
  const absolute = readDate(given);
  if (absolute !== undefined) return absolute;
  throw invalid(
    "TIME_INVALID",
    given,
    `"${given}" is neither a time nor a duration`,
    "for example 2026-01-31T12:00:00Z, 1769860800 or 10m (ten minutes ago)",
  );
}

function readDate(given: string): Instant | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d(?::\d\d(?::\d\d)?)?)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/i.exec(
    given,
  );
  if (match === null) return undefined;
  const [, day = "", clock = "00", fraction = "", zone = ""] = match;
  const time = `${clock}:00:00`.slice(0, 8);
  const milliseconds = Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  if (Number.isNaN(milliseconds)) return undefined;
  return { seconds: Math.floor(milliseconds / 1000), nanos: Number(fraction.padEnd(9, "0")) };
}

function instantOf(milliseconds: number, nanos: number): Instant {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanos: (milliseconds - seconds * 1000) * 1e6 + (nanos % 1e6) };
}
