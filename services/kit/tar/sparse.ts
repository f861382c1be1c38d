import { corrupt } from "./corrupt.ts";
import { BLOCK_SIZE, number } from "./header.ts";
import { decimal, type PaxRecord } from "./pax.ts";

/** Bytes that the archive holds of a file with holes: they belong at `offset`. */
export interface SparseSegment {
  readonly offset: number;
  readonly length: number;
}

/** How GNU tar's pax formats announce a file with holes; see its manual, "Storing Sparse Files". */
export type PaxSparse =
  | { readonly version: "1.0"; readonly name: string | undefined; readonly realSize: number }
  | {
      readonly version: "0.x";
      readonly name: string | undefined;
      readonly realSize: number;
      readonly segments: readonly SparseSegment[];
    };

const MAX_SEGMENTS = 1 << 18;
/** The text map of format 1.0 has at most two numbers a segment. */
export const MAX_MAP_BYTES = 4 << 20;

/** Formats 0.0 (pairs of records), 0.1 (one map record) and 1.0 (the map precedes the data); undefined: not sparse. */
export function paxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
  const last = new Map(records.filter(([key]) => key.startsWith("GNU.sparse.")));
  if (last.size === 0) return undefined;
  const name = last.get("GNU.sparse.name");
  if (last.get("GNU.sparse.major") === "1" && last.get("GNU.sparse.minor") === "0") {
    return { version: "1.0", name, realSize: required(last, "GNU.sparse.realsize") };
  }
  const realSize = required(last, "GNU.sparse.size");
  const map = last.get("GNU.sparse.map");
  const numbers = map === undefined ? pairedRecords(records) : map === "" ? [] : map.split(",");
  return { version: "0.x", name, realSize, segments: toSegments(numbers) };
}

/** The old GNU format ('S'): up to four segments in the header itself, the file's size, and whether blocks follow. */
export function gnuSparseHeader(block: Buffer): { segments: SparseSegment[]; realSize: number; isExtended: boolean } {
  return { segments: gnuSegments(block, 386, 4), realSize: number(block, 483, 12), isExtended: block[482] !== 0 };
}

/** A block that goes on with the map of the old GNU format: up to 21 segments. */
export function gnuSparseExtension(block: Buffer): { segments: SparseSegment[]; isExtended: boolean } {
  return { segments: gnuSegments(block, 0, 21), isExtended: block[504] !== 0 };
}

/**
 * The map in front of the data of format 1.0: decimal numbers by line, their count first, padded to a block. Undefined
 * while `bytes` do not hold all of it.
 */
export function parseSparseMap(bytes: Buffer): { segments: SparseSegment[]; mapBytes: number } | undefined {
  const firstEnd = bytes.indexOf(0x0a);
  if (firstEnd === -1) return undefined;
  const count = decimal(bytes.toString("latin1", 0, firstEnd), "GNU.sparse map") ?? 0;
  if (count > MAX_SEGMENTS) throw corrupt("a sparse file has too many segments");
  const numbers: string[] = [];
  let at = firstEnd + 1;
  while (numbers.length < count * 2) {
    const end = bytes.indexOf(0x0a, at);
    if (end === -1) return undefined;
    numbers.push(bytes.toString("latin1", at, end));
    at = end + 1;
  }
  const mapBytes = Math.ceil(at / BLOCK_SIZE) * BLOCK_SIZE;
  return bytes.length < mapBytes ? undefined : { segments: toSegments(numbers), mapBytes };
}

/** In order, apart, inside the file, and exactly as long as the data: else a small archive writes anywhere it likes. */
export function checkSegments(segments: readonly SparseSegment[], realSize: number, packedSize: number): void {
  if (segments.length > MAX_SEGMENTS) throw corrupt("a sparse file has too many segments");
  let end = 0;
  let packed = 0;
  for (const { offset, length } of segments) {
    if (offset < end || offset + length > realSize) throw corrupt("a sparse file's segments overlap or leave the file");
    end = offset + length;
    packed += length;
  }
  if (packed !== packedSize) throw corrupt("a sparse file's segments do not add up to its data");
}

function gnuSegments(block: Buffer, at: number, count: number): SparseSegment[] {
  const segments: SparseSegment[] = [];
  for (let i = 0; i < count; i++) {
    const offset = number(block, at + i * 24, 12);
    const length = number(block, at + i * 24 + 12, 12);
    if (offset < 0 || length < 0) throw corrupt("a sparse file's segment is negative");
    if (block[at + i * 24] === 0) break; // an unused slot
    segments.push({ offset, length });
  }
  return segments;
}

function pairedRecords(records: readonly PaxRecord[]): string[] {
  return records.flatMap(([key, value]) =>
    key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes" ? [value] : [],
  );
}

function toSegments(numbers: readonly string[]): SparseSegment[] {
  if (numbers.length % 2 !== 0) throw corrupt("a sparse file's map has an odd number of fields");
  const segments: SparseSegment[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    const offset = decimal(numbers[i], "GNU.sparse.offset") ?? 0;
    const length = decimal(numbers[i + 1], "GNU.sparse.numbytes") ?? 0;
    segments.push({ offset, length });
  }
  return segments;
}

function required(records: ReadonlyMap<string, string>, key: string): number {
  const value = decimal(records.get(key), key);
  if (value === undefined) throw corrupt(`a sparse file lacks ${key}`);
  return value;
}
