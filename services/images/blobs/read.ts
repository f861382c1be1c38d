import { type FileHandle, open, stat } from "node:fs/promises";
import { CtlError } from "../../kit/errors.ts";
import { type Digest, digestAlgorithm, digestMismatch, digestOf } from "../digest.ts";
import { blobPath } from "./blob-path.ts";
import type { ExpectedContent } from "./ingest.ts";

/** Whether the store has the whole blob. What is there was verified when it came; its size is looked at again. */
export async function hasBlob(root: string, expected: ExpectedContent): Promise<boolean> {
  const found = await stat(blobPath(root, expected.digest)).catch(() => undefined);
  return found?.size === expected.size;
}

/** An open blob, the caller closes it; `createReadStream` streams it. Throws NOT_FOUND BLOB_NOT_FOUND. */
export async function openBlob(root: string, digest: Digest): Promise<FileHandle> {
  try {
    return await open(blobPath(root, digest), "r");
  } catch (cause) {
    throw new CtlError("NOT_FOUND", {
      reason: "BLOB_NOT_FOUND",
      what: `read ${digest}`,
      why: "the image store does not hold it",
      fix: "pull the image again",
      cause,
    });
  }
}

/**
 * A small blob (manifest, configuration) whole, verified again: a disk that lost power may have lost what it promised.
 * Throws NOT_FOUND BLOB_NOT_FOUND; DATA_LOSS DIGEST_MISMATCH.
 */
export async function readBlob(root: string, digest: Digest, maxBytes: number): Promise<Buffer> {
  await using file = await openBlob(root, digest);
  const { size } = await file.stat();
  if (size > maxBytes) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "BLOB_TOO_LARGE",
      what: `read ${digest}`,
      why: `it has ${size} bytes where at most ${maxBytes} make sense`,
    });
  }
  const bytes = await file.readFile();
  const actual = digestOf(bytes, digestAlgorithm(digest));
  if (actual !== digest) throw digestMismatch(`read ${digest}`, digest, actual);
  return bytes;
}
