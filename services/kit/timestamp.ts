/** google.protobuf.Timestamp as ts-proto writes it: whole seconds, and nanoseconds that count forward, 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

const NANOSECONDS = 1_000_000_000n;

export function timestampOf(date: Date): Timestamp {
  return timestampOfNanoseconds(BigInt(date.getTime()) * 1_000_000n);
}

/** `epochNanoseconds` as `stat` and conmon's logs have them: times that must not be cut to milliseconds. */
export function timestampOfNanoseconds(epochNanoseconds: bigint): Timestamp {
  const nanos = ((epochNanoseconds % NANOSECONDS) + NANOSECONDS) % NANOSECONDS; // before 1970 too they count forward
  return { seconds: Number((epochNanoseconds - nanos) / NANOSECONDS), nanos: Number(nanos) };
}

/** Cut to milliseconds. */
export function dateOf(timestamp: Timestamp): Date {
  return new Date(timestamp.seconds * 1_000 + Math.floor(timestamp.nanos / 1_000_000));
}

export function nanosecondsOf(timestamp: Timestamp): bigint {
  return BigInt(timestamp.seconds) * NANOSECONDS + BigInt(timestamp.nanos);
}
