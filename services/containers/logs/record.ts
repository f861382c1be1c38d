export type OutputStream = "stdout" | "stderr";

/** Where in a container's output: a log file by its number, and the byte behind what was read. */
export interface LogPosition {
  readonly generation: number;
  readonly offset: number;
}

/** One line of output, or a part of a long one. */
export interface LogRecord {
  readonly stream: OutputStream;
  /** Since the epoch. */
  readonly timeNs: bigint;
  /** The bytes as written, with the newline if the line had ended. */
  readonly data: Buffer;
  /** False: the next record of this stream goes on with the same line. */
  readonly isLineEnd: boolean;
  /** The position behind it. */
  readonly end: LogPosition;
}

const NEWLINE = 0x0a;
const BLANK = 0x20;
const FULL = 0x46;
const STDERR_LAST = 0x72; // `stderr` ends in r, `stdout` in t

/**
 * Reads conmon's log format, which is the CRI's: `TIME STREAM TAG CONTENT`, with tag F where the line ended and P where
 * it goes on. The time has nanoseconds and an offset: `2026-11-25T03:11:36.948514104+01:00`.
 */
export class RecordParser {
  readonly #generation: number;
  #offset: number;
  #rest: Buffer = Buffer.alloc(0);
  #secondText = "";
  #secondNs = 0n;

  /** From a place where a record begins. */
  constructor(start: LogPosition) {
    this.#generation = start.generation;
    this.#offset = start.offset;
  }

  /** Behind the last whole record. */
  get position(): LogPosition {
    return { generation: this.#generation, offset: this.#offset };
  }

  /** The whole records up to here; what is left is kept for the next piece. */
  push(piece: Buffer): LogRecord[] {
    const bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const records: LogRecord[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const length = end + 1 - start;
      this.#offset += length;
      const record = this.#parse(bytes.subarray(start, end + 1));
      if (record !== undefined) records.push(record);
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
    return records;
  }

  /** Undefined for a line that is no record: what a power cut left. */
  #parse(line: Buffer): LogRecord | undefined {
    const header = parseHeader(line);
    const timeNs = header === undefined ? undefined : this.#time(line.toString("latin1", 0, header.timeEnd));
    if (header === undefined || timeNs === undefined) return undefined;
    const { stream, isLineEnd, contentStart } = header;
    const contentEnd = isLineEnd ? line.length : line.length - 1;
    return { stream, timeNs, isLineEnd, data: line.subarray(contentStart, contentEnd), end: this.position };
  }

  #time(text: string): bigint | undefined {
    const match = /^(.{19})\.(\d{1,9})(Z|[+-]\d\d:\d\d)$/.exec(text);
    if (match === null) return undefined;
    const secondText = `${match[1]}${match[3]}`;
    // most records fall into the second of the one before
    if (secondText !== this.#secondText) {
      const milliseconds = Date.parse(secondText);
      if (Number.isNaN(milliseconds)) return undefined;
      this.#secondText = secondText;
      this.#secondNs = BigInt(milliseconds) * 1_000_000n;
    }
    return this.#secondNs + BigInt((match[2] ?? "").padEnd(9, "0"));
  }
}

export interface RecordHeader {
  readonly timeEnd: number;
  readonly stream: OutputStream;
  readonly isLineEnd: boolean;
  readonly contentStart: number;
}

/** The fixed part of a record; undefined when the line is none. */
export function parseHeader(line: Buffer): RecordHeader | undefined {
  const timeEnd = line.indexOf(BLANK);
  const streamEnd = timeEnd < 0 ? -1 : line.indexOf(BLANK, timeEnd + 1);
  if (streamEnd - timeEnd !== 7 || line[streamEnd + 2] !== BLANK) return undefined;
  return {
    timeEnd,
    stream: line[streamEnd - 1] === STDERR_LAST ? "stderr" : "stdout",
    isLineEnd: line[streamEnd + 1] === FULL,
    contentStart: streamEnd + 3,
  };
}
