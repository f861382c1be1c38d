import { decodeHuffman, type HuffmanTable, makeHuffmanTable } from "./huffman.ts";

export type Field = readonly [name: string, value: string];

/** RFC 7541, appendix A; index 1 is the first. */
const STATIC: readonly Field[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"].map((status): Field => [":status", status]),
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ...[
    "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control",
    "content-disposition content-encoding content-language content-length content-location content-range content-type",
    "cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since",
    "last-modified link location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after",
    "server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate",
  ]
    .join(" ")
    .split(" ")
    .map((name): Field => [name, ""]),
];

/** RFC 7541, section 4.1: what an entry counts beside its octets. */
const ENTRY_OVERHEAD = 32;
const DEFAULT_TABLE_BYTES = 4096;

/**
 * A header block of literals without indexing: a connection of ours carries one or two requests, a dynamic table would
 * not pay. Names are lower case; values are ASCII.
 */
export function encodeFields(fields: readonly Field[]): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of fields) {
    parts.push(Buffer.of(0), ...encodeText(name), ...encodeText(value));
  }
  return Buffer.concat(parts);
}

function encodeText(text: string): [Buffer, Buffer] {
  const bytes = Buffer.from(text, "latin1");
  return [encodeInteger(bytes.length, 7), bytes];
}

/** Section 5.1; the bits before the prefix are zero. */
function encodeInteger(value: number, prefixBits: number): Buffer {
  const most = 2 ** prefixBits - 1;
  if (value < most) return Buffer.of(value);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** One direction's decoder: blocks must come in the order in which they were received. */
export class HpackDecoder {
  /** Newest first. */
  #dynamic: Field[] = [];
  #dynamicBytes = 0;
  #maxBytes = DEFAULT_TABLE_BYTES;
  #huffman: HuffmanTable | undefined;

  /** Throws a RangeError when the block is broken: the connection is then of no use. */
  decode(block: Buffer): Field[] {
    const fields: Field[] = [];
    const cursor: Cursor = { block, at: 0 };
    while (cursor.at < block.length) {
      const first = block.readUInt8(cursor.at);
      if (first & 0x80) fields.push(this.#entry(readInteger(cursor, 7)));
      else if (first & 0x40) fields.push(this.#remember(this.#literal(cursor, 6)));
      else if (first & 0x20) this.#resize(readInteger(cursor, 5));
      else fields.push(this.#literal(cursor, 4));
    }
    return fields;
  }

  #literal(cursor: Cursor, prefixBits: number): Field {
    const index = readInteger(cursor, prefixBits);
    const name = index === 0 ? this.#text(cursor) : this.#entry(index)[0];
    return [name, this.#text(cursor)];
  }

  #entry(index: number): Field {
    const field = index <= STATIC.length ? STATIC[index - 1] : this.#dynamic[index - 1 - STATIC.length];
    if (field === undefined) throw new RangeError(`header index ${index} of nothing`);
    return field;
  }

  #text(cursor: Cursor): string {
    if (cursor.at >= cursor.block.length) throw new RangeError("a header block that ends early");
    const isCompressed = (cursor.block.readUInt8(cursor.at) & 0x80) !== 0;
    const length = readInteger(cursor, 7);
    const bytes = cursor.block.subarray(cursor.at, cursor.at + length);
    if (bytes.length < length) throw new RangeError("a header block that ends early");
    cursor.at += length;
    if (!isCompressed) return bytes.toString("latin1");
    this.#huffman ??= makeHuffmanTable();
    return decodeHuffman(bytes, this.#huffman);
  }

  #remember(field: Field): Field {
    this.#dynamic.unshift(field);
    this.#dynamicBytes += sizeOf(field);
    this.#evict();
    return field;
  }

  #resize(maxBytes: number): void {
    if (maxBytes > DEFAULT_TABLE_BYTES) throw new RangeError(`a header table of ${maxBytes} bytes`);
    this.#maxBytes = maxBytes;
    this.#evict();
  }

  #evict(): void {
    while (this.#dynamicBytes > this.#maxBytes) {
      const oldest = this.#dynamic.pop();
      if (oldest === undefined) return;
      this.#dynamicBytes -= sizeOf(oldest);
    }
  }
}

interface Cursor {
  readonly block: Buffer;
  at: number;
}

function readInteger(cursor: Cursor, prefixBits: number): number {
  const most = 2 ** prefixBits - 1;
  let value = next(cursor) & most;
  if (value < most) return value;
  for (let scale = 1; scale < 2 ** 28; scale *= 128) {
    const byte = next(cursor);
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new RangeError("a header integer of more than 28 bits");
}

function next(cursor: Cursor): number {
  if (cursor.at >= cursor.block.length) throw new RangeError("a header block that ends early");
  return cursor.block.readUInt8(cursor.at++);
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}
