import { isCtlError } from "../errors.ts";
import { decompress } from "../tar/decompress.ts";
import { TarReader } from "../tar/reader.ts";
import type { Refusals } from "./refusals.ts";
import type { Unpacker } from "./unpack.ts";

/** Unpacks a tar that may be compressed (gzip, zstd), and reads its source to the end. */
export async function unpackStream(
  unpacker: Unpacker,
  source: AsyncIterable<Uint8Array>,
  refusals: Refusals,
): Promise<void> {
  const reader = new TarReader(unpacker);
  const chunks = source[Symbol.asyncIterator]();
  try {
    for await (const chunk of decompress(chunks)) reader.push(chunk);
    reader.finish();
  } catch (error) {
    // the reader speaks of layers, where most archives come from
    if (isCtlError(error) && error.reason.startsWith("LAYER_")) throw refusals.invalid(error.why, error);
    throw error;
  }
  unpacker.finish();
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()); // what follows the archive's end
}
