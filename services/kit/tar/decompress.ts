import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { CtlError } from "../errors.ts";
import { corrupt } from "./corrupt.ts";

export type Compression = "none" | "gzip" | "zstd";

/** 160 MB of gzip: 580 ms in pieces of 16 KiB (zlib's default), 300 ms in these; larger ones gain little. */
const CHUNK_BYTES = 256 << 10;
const SNIFFED_BYTES = 6;
const MAGIC: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/**
 * A layer's bytes uncompressed: gzip with any number of members, zstd with any number of frames, or as they are. What
 * they are is read from them: media types lie. May end before its source does: zeros after a gzip stream are padding. Throws INVALID_ARGUMENT LAYER_CORRUPT; UNIMPLEMENTED LAYER_COMPRESSION; what the source throws.
 */
export async function* decompress(source: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  const head = await readHead(source);
  const compression = compressionOf(head);
  const chunks = chained(head, source);
  if (compression === "none") yield* chunks;
  else yield* transformed(chunks, compression);
}

/** By its first bytes; anything unknown is taken for a plain archive, whose reader knows better. */
export function compressionOf(head: Uint8Array): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
  if (found === "gzip" || found === "zstd") return found;
  // a zstd stream may begin with a frame that is to be skipped (RFC 8878 §3.1.2)
  if (((head[0] ?? 0) & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return "zstd";
  if (found === undefined) return "none";
  throw new CtlError("UNIMPLEMENTED", {
    reason: "LAYER_COMPRESSION",
    what: "extract the layer",
    why: `it is compressed with ${found}, which no registry's images use`,
    fix: "push the image again with gzip or zstd",
  });
}

async function* transformed(
  chunks: AsyncIterable<Uint8Array>,
  compression: "gzip" | "zstd",
): AsyncGenerator<Buffer, void, undefined> {
  const create = compression === "gzip" ? createGunzip : createZstdDecompress;
  const transform: Transform = create({ chunkSize: CHUNK_BYTES });
  const piped = pipeline(Readable.from(chunks, { objectMode: false }), transform);
  piped.catch(() => {}); // the same error ends the loop below
  try {
    for await (const chunk of transform) yield chunk;
  } catch (error) {
    throw isDamage(error) ? corrupt(`its ${compression} data is damaged`, error) : error;
  } finally {
    transform.destroy();
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(Z_|ZSTD_)/.test(String(error.code));
}

async function readHead(source: AsyncIterator<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let size = 0; size < SNIFFED_BYTES; ) {
    const { done, value } = await source.next();
    if (done) break;
    pieces.push(value);
    size += value.length;
  }
  return Buffer.concat(pieces);
}

/** Never ends the source early: its owner goes on with what is left of it. */
async function* chained(head: Buffer, source: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  for (let next = await source.next(); !next.done; next = await source.next()) {
    yield Buffer.from(next.value.buffer, next.value.byteOffset, next.value.length);
  }
}
