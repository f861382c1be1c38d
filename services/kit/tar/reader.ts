import { corrupt } from "./corrupt.ts";
import type { BytePath, TarEntry } from "./entry.ts";
import { BLOCK_SIZE, isZeroBlock, parseHeader, type TarHeader, text } from "./header.ts";
import { type Member, toMember } from "./member.ts";
import { type PaxRecord, parsePaxRecords } from "./pax.ts";
import {
  checkSegments,
  gnuSparseExtension,
  gnuSparseHeader,
  MAX_MAP_BYTES,
  parseSparseMap,
  type SparseSegment,
} from "./sparse.ts";

/**
 * What an archive holds, told as it goes by: `entry`, then its `data` in ascending places, then `end`, for each member.
 * What it throws ends the reading. Synchronous: thousands of small files a second leave no room for a promise each.
 */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** Bytes of the file at `offset`; what no call covers is a hole. The chunk is only lent. */
  data(chunk: Uint8Array, offset: number): void;
  end(): void;
}

type State =
  | { readonly kind: "header"; readonly afterZero: boolean }
  | { readonly kind: "meta"; readonly type: string; readonly size: number }
  | { readonly kind: "sparse-extension"; readonly member: Member; readonly realSize: number }
  | { readonly kind: "sparse-map"; readonly member: Member; readonly realSize: number }
  | { readonly kind: "data" }
  | { readonly kind: "skip"; bytes: number }
  | { readonly kind: "end" };

/** Go's and our bound for one extended header or long name: a path of 4 KiB and some xattrs fit many times. */
const MAX_META_BYTES = 1 << 20;
/** Each entry looks at all of them: without this bound a small archive costs hours. */
const MAX_GLOBAL_RECORDS = 1000;

/**
 * Reads a tar stream chunk by chunk: ustar, GNU (long names, sparse), V7, pax with global headers and its three sparse
 * formats. Memory is bounded by 4 MiB whatever comes. Throws INVALID_ARGUMENT LAYER_CORRUPT and what the sink throws.
 */
export class TarReader {
  readonly #sink: TarSink;
  #state: State = { kind: "header", afterZero: false };
  #partial: Buffer[] = [];
  #partialSize = 0;
  #wanted = BLOCK_SIZE;
  #globalRecords: PaxRecord[] = [];
  #globalBytes = 0;
  #localRecords: PaxRecord[] = [];
  #longPath: BytePath | undefined;
  #longLink: BytePath | undefined;
  #segments: SparseSegment[] = [];
  #segmentIndex = 0;
  #segmentDone = 0;
  #padding = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at += this.#consume(at === 0 ? chunk : chunk.subarray(at));
  }

  /** The stream has ended. Throws where the archive had not; its closing zero blocks may be missing, as many are. */
  finish(): void {
    const isBetween = this.#state.kind === "header" && this.#partialSize === 0 && !this.#hasExtras();
    if (!isBetween && this.#state.kind !== "end") throw corrupt("its archive is cut off");
  }

  #hasExtras(): boolean {
    return this.#localRecords.length > 0 || this.#longPath !== undefined || this.#longLink !== undefined;
  }

  /** Uses up some of the chunk, at least one byte, and says how many. */
  #consume(chunk: Buffer): number {
    const state = this.#state;
    switch (state.kind) {
      case "end":
        return chunk.length; // what follows the archive's end belongs to its digest and to nothing else
      case "skip":
        return this.#skip(state, chunk);
      case "data":
        return this.#data(chunk);
      default:
        return this.#collect(state, chunk);
    }
  }

  #skip(state: { bytes: number }, chunk: Buffer): number {
    const used = Math.min(state.bytes, chunk.length);
    state.bytes -= used;
    if (state.bytes === 0) this.#expectHeader();
    return used;
  }

  #data(chunk: Buffer): number {
    const segment = this.#segments[this.#segmentIndex];
    if (segment === undefined) throw new Error("data without a segment");
    const used = Math.min(segment.length - this.#segmentDone, chunk.length);
    this.#sink.data(used === chunk.length ? chunk : chunk.subarray(0, used), segment.offset + this.#segmentDone);
    this.#segmentDone += used;
    if (this.#segmentDone === segment.length) this.#nextSegment(this.#segmentIndex + 1);
    return used;
  }

  /** On to the next segment that has bytes; after the last one the member is over. */
  #nextSegment(from: number): void {
    let index = from;
    while (this.#segments[index]?.length === 0) index++;
    this.#segmentIndex = index;
    this.#segmentDone = 0;
    if (index < this.#segments.length) {
      this.#state = { kind: "data" };
      return;
    }
    this.#sink.end();
    this.#skipBytes(this.#padding);
  }

  #skipBytes(bytes: number): void {
    if (bytes === 0) this.#expectHeader();
    else this.#state = { kind: "skip", bytes };
  }

  #expectHeader(): void {
    this.#expect({ kind: "header", afterZero: false }, BLOCK_SIZE);
  }

  #expect(state: State, bytes: number): void {
    this.#state = state;
    this.#wanted = bytes;
  }

  /** Gathers the bytes that the state wants whole; most often they lie in one chunk and are not copied. */
  #collect(state: State, chunk: Buffer): number {
    const used = Math.min(this.#wanted - this.#partialSize, chunk.length);
    const piece = chunk.subarray(0, used);
    if (this.#partialSize + used < this.#wanted) {
      this.#partial.push(Buffer.from(piece)); // the chunk is the caller's again after this
      this.#partialSize += used;
      return used;
    }
    const whole = this.#partialSize === 0 ? piece : Buffer.concat([...this.#partial, piece]);
    this.#partial = [];
    this.#partialSize = 0;
    this.#onBytes(state, whole);
    return used;
  }

  #onBytes(state: State, bytes: Buffer): void {
    if (state.kind === "header") this.#onHeader(bytes, state.afterZero);
    else if (state.kind === "meta") this.#onMeta(state.type, bytes.subarray(0, state.size));
    else if (state.kind === "sparse-extension") this.#onSparseExtension(state.member, state.realSize, bytes);
    else if (state.kind === "sparse-map") this.#onSparseMap(state.member, state.realSize, bytes);
    else throw new Error(`bytes gathered in the state ${state.kind}`);
  }

  #onHeader(block: Buffer, afterZero: boolean): void {
    if (isZeroBlock(block)) {
      this.#state = afterZero ? { kind: "end" } : { kind: "header", afterZero: true };
      return;
    }
    if (afterZero) throw corrupt("something follows a zero block in its archive");
    const header = parseHeader(block);
    if ("xXgLK".includes(header.type)) this.#expectMeta(header.type, header.size);
    else if (header.type === "V")
      this.#skipBytes(roundUp(header.size)); // a volume's label
    else this.#onMember(header, block);
  }

  #onMember(header: TarHeader, block: Buffer): void {
    const paxRecords = [...this.#globalRecords, ...this.#localRecords];
    const member = toMember(header, { paxRecords, longPath: this.#longPath, longLink: this.#longLink });
    this.#localRecords = [];
    this.#longPath = undefined;
    this.#longLink = undefined;
    this.#begin(header.type, member, block);
  }

  #expectMeta(type: string, size: number): void {
    if (size < 0 || size > MAX_META_BYTES) throw corrupt(`an extended header has more than ${MAX_META_BYTES} bytes`);
    if (size === 0) this.#onMeta(type, Buffer.alloc(0));
    else this.#expect({ kind: "meta", type, size }, roundUp(size));
  }

  #onMeta(type: string, bytes: Buffer): void {
    if (type === "L") this.#longPath = text(bytes, 0, bytes.length);
    else if (type === "K") this.#longLink = text(bytes, 0, bytes.length);
    else if (type === "g") this.#addGlobal(bytes);
    else this.#localRecords = parsePaxRecords(bytes);
    this.#expectHeader();
  }

  #addGlobal(bytes: Buffer): void {
    this.#globalBytes += bytes.length;
    if (this.#globalBytes > MAX_META_BYTES) throw corrupt("its global headers are too long");
    for (const record of parsePaxRecords(bytes)) this.#globalRecords.push(record);
    if (this.#globalRecords.length > MAX_GLOBAL_RECORDS) throw corrupt("its global headers have too many records");
  }

  #begin(type: string, member: Member, block: Buffer): void {
    const { entry, packedSize, sparse } = member;
    this.#segments = [];
    if (entry.kind !== "file") {
      this.#sink.entry(entry);
      this.#sink.end();
      this.#skipBytes(roundUp(packedSize));
    } else if (sparse?.version === "1.0") {
      this.#expect({ kind: "sparse-map", member, realSize: sparse.realSize }, BLOCK_SIZE);
    } else if (sparse !== undefined) {
      this.#segments = [...sparse.segments];
      this.#beginFile(member, sparse.realSize, packedSize);
    } else if (type === "S") {
      this.#beginGnuSparse(member, block);
    } else {
      this.#segments = [{ offset: 0, length: packedSize }];
      this.#beginFile(member, packedSize, packedSize);
    }
  }

  #beginGnuSparse(member: Member, block: Buffer): void {
    const { segments, realSize, isExtended } = gnuSparseHeader(block);
    this.#segments = segments;
    if (isExtended) this.#expect({ kind: "sparse-extension", member, realSize }, BLOCK_SIZE);
    else this.#beginFile(member, realSize, member.packedSize);
  }

  #onSparseExtension(member: Member, realSize: number, block: Buffer): void {
    const { segments, isExtended } = gnuSparseExtension(block);
    this.#segments.push(...segments);
    if (this.#segments.length * 24 > MAX_MAP_BYTES) throw corrupt("a sparse file has too many segments");
    if (isExtended) this.#expect({ kind: "sparse-extension", member, realSize }, BLOCK_SIZE);
    else this.#beginFile(member, realSize, member.packedSize);
  }

  #onSparseMap(member: Member, realSize: number, bytes: Buffer): void {
    const map = parseSparseMap(bytes);
    if (map === undefined) {
      // doubled, so that a long map is not parsed once for each of its blocks
      const more = Math.min(bytes.length, roundUp(member.packedSize) - bytes.length, MAX_MAP_BYTES - bytes.length);
      if (more <= 0) throw corrupt("a sparse file's map is too long or malformed");
      this.#partial = [Buffer.from(bytes)];
      this.#partialSize = bytes.length;
      this.#expect({ kind: "sparse-map", member, realSize }, bytes.length + more);
      return;
    }
    this.#segments = map.segments;
    this.#beginFile(member, realSize, member.packedSize - map.mapBytes);
    if (bytes.length > map.mapBytes) this.push(Buffer.from(bytes.subarray(map.mapBytes)));
  }

  #beginFile(member: Member, realSize: number, packedSize: number): void {
    checkSegments(this.#segments, realSize, packedSize);
    this.#padding = roundUp(packedSize) - packedSize;
    this.#sink.entry({ ...member.entry, size: realSize });
    this.#nextSegment(0);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / BLOCK_SIZE) * BLOCK_SIZE;
}
