import type { Timestamp } from "#proto/google/protobuf/timestamp.ts";

/** Go's zero time, which Docker's JSON has where something has not happened. */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

/** RFC 3339 with as many fractional digits as there are, as Go's RFC3339Nano. */
export function rfc3339Nano(time: Timestamp | undefined): string {
  if (time === undefined) return ZERO_TIME;
  const fraction = time.nanos === 0 ? "" : `.${nineDigits(time).replace(/0+$/, "")}`;
  return `${seconds(time)}${fraction}Z`;
}

/** RFC 3339 with nine digits always: the prefix of log lines. */
export function rfc3339NanoPadded(time: Timestamp | undefined): string {
  return time === undefined ? "0001-01-01T00:00:00.000000000Z" : `${seconds(time)}.${nineDigits(time)}Z`;
}

export function rfc3339Seconds(time: Timestamp | undefined): string {
  return time === undefined ? ZERO_TIME : `${seconds(time)}Z`;
}

function seconds(time: Timestamp): string {
  return new Date(time.seconds * 1_000).toISOString().slice(0, 19);
}

function nineDigits(time: Timestamp): string {
  return String(time.nanos).padStart(9, "0");
}

/** Nanoseconds since 1970, written as a number that JavaScript's own could not hold. */
export function unixNano(time: Timestamp | undefined): string {
  return time === undefined ? "0" : String(BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos));
}

/** Docker's query times: seconds since 1970 with up to nine digits behind the point. Undefined: not one of these. */
export function parseUnixTime(value: string): Timestamp | undefined {
  const match = /^(-?\d{1,12})(?:\.(\d{1,9})\d*)?$/.exec(value);
  if (match === null) return undefined;
  return { seconds: Number(match[1]), nanos: Number((match[2] ?? "").padEnd(9, "0")) };
}

/** The same, or RFC 3339. */
export function parseTime(value: string): Timestamp | undefined {
  const unix = parseUnixTime(value);
  if (unix !== undefined) return unix;
  const fraction = /\.(\d{1,9})/.exec(value)?.[1] ?? "";
  const milliseconds = Date.parse(value);
  if (Number.isNaN(milliseconds)) return undefined;
  return { seconds: Math.floor(milliseconds / 1_000), nanos: Number(fraction.padEnd(9, "0")) };
}
