import type { LogPosition, LogRecord, OutputStream } from "../record.ts";

/** A line as it is sent on: without its newline, and a long one in pieces of 16 KiB, as Docker cuts them. */
export interface SentLine {
  readonly stream: OutputStream;
  /** Of the line's beginning. */
  readonly timeNs: bigint;
  readonly content: Buffer;
  /** Undefined: the whole line. */
  readonly piece: LinePiece | undefined;
}

export interface LinePiece {
  /** The same for all pieces of a line. */
  readonly line: string;
  /** Counts from 1. */
  readonly ordinal: number;
  readonly isLast: boolean;
}

export const MOST_LINE_BYTES = 16 * 1024;
const NEWLINE = 0x0a;

interface OpenLine {
  readonly timeNs: bigint;
  readonly start: LogPosition;
  readonly parts: Buffer[];
  size: number;
  pieces: number;
}

/** Puts the parts of lines together again, each stream for itself. */
export class LineJoiner {
  readonly #open = new Map<OutputStream, OpenLine>();
  #end: LogPosition;

  constructor(from: LogPosition) {
    this.#end = from;
  }

  /** What is before this has been given out: where to go on after a restart. */
  get position(): LogPosition {
    return [...this.#open.values()].map(({ start }) => start).reduce(earlier, this.#end);
  }

  push(records: readonly LogRecord[]): SentLine[] {
    return records.flatMap((record) => this.#take(record));
  }

  /** What is left of lines that will not be ended. */
  flush(): SentLine[] {
    const rest = [...this.#open].map(([stream, line]) => sentLine(stream, line, Buffer.concat(line.parts), true));
    this.#open.clear();
    return rest;
  }

  #take({ stream, timeNs, data, isLineEnd, end }: LogRecord): SentLine[] {
    const start = end.generation === this.#end.generation ? this.#end : { generation: end.generation, offset: 0 };
    const line = this.#open.get(stream) ?? { timeNs, start, parts: [], size: 0, pieces: 0 };
    line.parts.push(data);
    line.size += data.length;
    this.#end = end;
    if (isLineEnd) this.#open.delete(stream);
    else this.#open.set(stream, line);
    if (!isLineEnd && line.size < MOST_LINE_BYTES) return [];
    return cut(stream, line, isLineEnd);
  }
}

function cut(stream: OutputStream, line: OpenLine, isEnd: boolean): SentLine[] {
  const bytes = withoutNewline(Buffer.concat(line.parts), isEnd);
  const sent: SentLine[] = [];
  let from = 0;
  while (bytes.length - from > MOST_LINE_BYTES || (!isEnd && bytes.length - from === MOST_LINE_BYTES)) {
    sent.push(sentLine(stream, line, bytes.subarray(from, from + MOST_LINE_BYTES), false));
    from += MOST_LINE_BYTES;
  }
  const rest = bytes.subarray(from);
  if (isEnd) return [...sent, sentLine(stream, line, rest, true)];
  line.parts.splice(0, Number.POSITIVE_INFINITY, rest);
  line.size = rest.length;
  return sent;
}

function sentLine(stream: OutputStream, line: OpenLine, content: Buffer, isLast: boolean): SentLine {
  const { timeNs, start, pieces } = line;
  line.pieces++;
  const name = `${start.generation}-${start.offset}-${stream}`;
  const piece = isLast && pieces === 0 ? undefined : { line: name, ordinal: pieces + 1, isLast };
  return { stream, timeNs, content, piece };
}

function withoutNewline(bytes: Buffer, isEnd: boolean): Buffer {
  return isEnd && bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes;
}

function earlier(one: LogPosition, other: LogPosition): LogPosition {
  const order = one.generation - other.generation || one.offset - other.offset;
  return order <= 0 ? one : other;
}
