import { createHash } from "node:crypto";
import { CtlError, isCtlError } from "../../kit/errors.ts";
import { decompress } from "../../kit/tar/decompress.ts";
import { TarReader } from "../../kit/tar/reader.ts";
import type { BlobIngest } from "../blobs/ingest.ts";
import { type Digest, digestAlgorithm, digestFrom, digestMismatch } from "../digest.ts";
import type { ExtractedLayer, LayerExtractor } from "./extract.ts";
import { type LayerLimits, tooLarge } from "./limits.ts";

export interface ArchiveParts {
  /** The compressed bytes as they come from a registry or the store. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Where the compressed bytes go too: it verifies them. */
  readonly blob: BlobIngest;
  readonly diffId: Digest;
  readonly extractor: LayerExtractor;
  readonly limits: LayerLimits;
  /** After each piece that has been worked off. */
  readonly onConsumed: (compressedBytes: number, archiveBytes: number) => void;
}

/**
 * One pass over a layer: store and hash the compressed bytes, decompress, hash the archive, extract. Ends with both
 * digests verified and the blob committed. Throws DATA_LOSS DIGEST_MISMATCH, also where damage in transit first showed
 * as a damaged archive; else what the extractor, the blob and the chunks throw.
 */
export async function extractArchive(parts: ArchiveParts): Promise<ExtractedLayer> {
  const progress = { compressedBytes: 0, archiveBytes: 0 };
  const stored = storing(parts, progress);
  const diff = createHash(digestAlgorithm(parts.diffId));
  const reader = new TarReader(parts.extractor);
  try {
    for await (const chunk of decompress(stored)) {
      progress.archiveBytes += chunk.length;
      if (progress.archiveBytes > parts.limits.maxArchiveBytes) throw unfoldsTooFar(parts.limits);
      diff.update(chunk);
      reader.push(chunk);
    }
    reader.finish();
  } catch (error) {
    if (isCtlError(error) && error.reason === "LAYER_CORRUPT") await blameTransit(stored, parts, error);
    throw error;
  }
  await drain(stored);
  const actual = digestFrom(diff, digestAlgorithm(parts.diffId));
  if (actual !== parts.diffId) throw digestMismatch("extract the layer", parts.diffId, actual);
  const extracted = parts.extractor.finish();
  await parts.blob.commit();
  return extracted;
}

async function* storing(
  { chunks, blob, onConsumed }: ArchiveParts,
  progress: { compressedBytes: number; archiveBytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    await blob.write(chunk);
    progress.compressedBytes += chunk.length;
    yield chunk;
    onConsumed(progress.compressedBytes, progress.archiveBytes);
  }
}

/** Where the compressed bytes are not what they should be, that is the truth, not what it did to the archive. */
async function blameTransit(stored: AsyncGenerator<Uint8Array>, parts: ArchiveParts, cause: CtlError): Promise<void> {
  await drain(stored);
  try {
    parts.blob.verify();
  } catch (error) {
    if (!isCtlError(error)) throw error;
    const { code, reason, what, why, fix } = error;
    throw new CtlError(code, { reason, what, why, cause, ...(fix === undefined ? {} : { fix }) });
  }
}

async function drain(chunks: AsyncGenerator<Uint8Array>): Promise<void> {
  for (let next = await chunks.next(); !next.done; next = await chunks.next());
}

function unfoldsTooFar(limits: LayerLimits): CtlError {
  return tooLarge(`it unfolds to more than ${limits.maxArchiveBytes} bytes`);
}
