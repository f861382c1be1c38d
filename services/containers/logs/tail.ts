import { open } from "node:fs/promises";
import { type Generation, listGenerations, openGeneration } from "./generations.ts";
import { type LogPosition, parseHeader, RecordParser } from "./record.ts";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Where the first record is that a log still has. */
export async function startOfLog(logPath: string): Promise<LogPosition> {
  const [oldest] = await listGenerations(logPath);
  return { generation: oldest?.number ?? 1, offset: 0 };
}

/** Behind the last record that there is now. */
export async function endOfLog(logPath: string): Promise<LogPosition> {
  return tailPosition(logPath, 0);
}

/**
 * Where the last `lines` lines begin. Plain files are read backwards, block by block, so the cost is that of what is
 * shown; a compressed one is read whole.
 */
export async function tailPosition(logPath: string, lines: number): Promise<LogPosition> {
  const generations = await listGenerations(logPath);
  let missing = lines;
  for (const generation of generations.toReversed()) {
    const found =
      generation.kind === "compressed"
        ? await fromStart(logPath, generation, missing)
        : await fromEnd(generation, missing);
    if (found === undefined) continue;
    if (found.lines >= missing) return { generation: generation.number, offset: found.offset };
    missing -= found.lines;
  }
  return { generation: generations[0]?.number ?? 1, offset: 0 };
}

interface FoundLines {
  /** How many of the wanted lines this file has. */
  readonly lines: number;
  /** Where the first of them begins. */
  readonly offset: number;
}

/** Undefined: the file went away. */
async function fromEnd(generation: Generation, wanted: number): Promise<FoundLines | undefined> {
  const file = await open(generation.path, "r").catch(() => undefined);
  if (file === undefined) return undefined;
  await using _ = file;
  const scan = new BackwardScan(wanted);
  let position = (await file.stat()).size;
  while (position > 0 && !scan.isDone) {
    const length = Math.min(BLOCK_BYTES, position);
    position -= length;
    const block = Buffer.allocUnsafe(length);
    await file.read(block, 0, length, position);
    scan.prepend(block, position);
  }
  return scan.result();
}

/** Goes through whole records from the last to the first and counts the lines that end in them. */
class BackwardScan {
  readonly #wanted: number;
  /** Bytes whose record's beginning has not been seen yet. */
  #pending: Buffer = Buffer.alloc(0);
  #hasEnd = false;
  #lines = 0;
  #offset = 0;
  isDone = false;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  prepend(block: Buffer, position: number): void {
    let bytes = Buffer.concat([block, this.#pending]);
    if (!this.#hasEnd) {
      // what follows the last newline is a record being written
      bytes = bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1);
      if (bytes.length === 0) return;
      this.#hasEnd = true;
      this.#offset = position + bytes.length;
      this.isDone = this.#wanted === 0;
    }
    while (!this.isDone && bytes.length > 0) {
      const start = bytes.length < 2 ? 0 : bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1;
      if (start === 0 && position > 0) break;
      this.#take(bytes.subarray(start), position + start);
      bytes = bytes.subarray(0, start);
    }
    this.#pending = Buffer.from(bytes);
  }

  result(): FoundLines {
    return { lines: this.#lines, offset: this.#offset };
  }

  #take(record: Buffer, offset: number): void {
    const isLineEnd = parseHeader(record)?.isLineEnd ?? true;
    const isNewLine = isLineEnd || this.#lines === 0;
    if (isNewLine && this.#lines === this.#wanted) {
      this.isDone = true;
      return;
    }
    if (isNewLine) this.#lines++;
    this.#offset = offset;
  }
}

async function fromStart(logPath: string, { number }: Generation, wanted: number): Promise<FoundLines | undefined> {
  const reader = await openGeneration(logPath, number, 0);
  if (reader === undefined) return undefined;
  await using _ = reader;
  const parser = new RecordParser({ generation: number, offset: 0 });
  const starts: number[] = [];
  let lineStart = 0;
  let isInLine = false;
  for (let piece = await reader.read(); piece.length > 0; piece = await reader.read()) {
    for (const record of parser.push(piece)) {
      if (!isInLine) starts.push(lineStart);
      isInLine = !record.isLineEnd;
      lineStart = record.end.offset;
    }
  }
  const first = Math.max(0, starts.length - wanted);
  return { lines: starts.length - first, offset: starts[first] ?? parser.position.offset };
}
