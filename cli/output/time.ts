/** As google.protobuf.Timestamp. */
interface Instant {
  readonly seconds: number;
  readonly nanos: number;
}

export function toDate(instant: Instant | undefined): Date {
  return new Date((instant?.seconds ?? 0) * 1000 + Math.trunc((instant?.nanos ?? 0) / 1e6));
}

/** RFC 3339 with nanoseconds, UTC; `digits` decimals, or as many as are not zero. */
export function rfc3339({ seconds, nanos }: Instant, digits?: number): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  const decimals = String(nanos).padStart(9, "0");
  const shown = digits === undefined ? decimals.replace(/0+$/, "") : decimals.slice(0, digits);
  return `${whole}${shown === "" ? "" : `.${shown}`}Z`;
}
