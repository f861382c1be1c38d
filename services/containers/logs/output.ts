import { type FollowRequest, followLog } from "./follow.ts";
import type { LogPosition, LogRecord, OutputStream } from "./record.ts";

/** A piece of what a container wrote to one stream: at most 64 KiB, and the position behind it. */
export interface OutputFrame {
  readonly stream: OutputStream;
  readonly data: Buffer;
  readonly position: LogPosition;
}

const MOST_BYTES = 64 * 1024;

/** What a container writes, from a position on, as bytes: what every attached client gets, each at its own pace. */
export async function* outputFrames(
  request: FollowRequest,
  streams: ReadonlySet<OutputStream>,
  signal: AbortSignal,
): AsyncGenerator<OutputFrame> {
  for await (const records of followLog(request, signal)) {
    yield* toFrames(records.filter(({ stream }) => streams.has(stream)));
  }
}

/** Records that follow each other on the same stream become one frame. */
export function* toFrames(records: readonly LogRecord[]): Generator<OutputFrame> {
  let group: { last: LogRecord; parts: Buffer[]; size: number } | undefined;
  for (const record of records) {
    if (group?.last.stream === record.stream && group.size + record.data.length <= MOST_BYTES) {
      group.parts.push(record.data);
      group.size += record.data.length;
      group.last = record;
      continue;
    }
    if (group !== undefined) yield toFrame(group);
    group = { last: record, parts: [record.data], size: record.data.length };
  }
  if (group !== undefined) yield toFrame(group);
}

function toFrame({ last, parts }: { last: LogRecord; parts: Buffer[] }): OutputFrame {
  return { stream: last.stream, data: Buffer.concat(parts), position: last.end };
}
