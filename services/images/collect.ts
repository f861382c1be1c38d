import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Database } from "../kit/database.ts";
import { blobPath } from "./blobs/blob-path.ts";
import { parseDigest } from "./digest.ts";
import { removeLayerDirectory } from "./layers/layer-directory.ts";
import type { ImagePaths } from "./paths.ts";
import { referencedBlobs } from "./store/images.ts";
import { condemnedLayers, condemnUnused, forgetLayer, lockPlacement } from "./store/layers.ts";

/**
 * Deletes the layers that no image refers to: found and marked in a transaction, deleted after it, then their rows.
 * What a crash interrupts is gone on with by the next round. Answers how many.
 */
export async function collectLayers(db: Database, node: string, paths: ImagePaths): Promise<number> {
  await db.transaction(async (tx) => {
    await lockPlacement(tx, node, "condemning");
    await condemnUnused(tx, node);
  });
  const names = await condemnedLayers(db, node);
  for (const name of names) {
    await removeLayerDirectory(join(paths.layers, name));
    await forgetLayer(db, node, name);
  }
  return names.length;
}

/** Deletes what a removed image had in the blob store and no other image has. */
export async function deleteBlobs(db: Database, paths: ImagePaths, digests: readonly string[]): Promise<void> {
  const referenced = await referencedBlobs(db);
  for (const digest of digests) {
    if (!referenced.has(digest)) await rm(blobPath(paths.blobs, parseDigest(digest)), { force: true });
  }
}

/**
 * Deletes blobs that no image refers to and that nobody touched for `minimumAgeMs`: a pull that is under way, or that
 * failed a moment ago and is tried again, still wants its. Answers the bytes.
 */
export async function collectBlobs(db: Database, paths: ImagePaths, minimumAgeMs: number): Promise<number> {
  const referenced = await referencedBlobs(db);
  let freedBytes = 0;
  for (const algorithm of ["sha256", "sha512"]) {
    const directory = join(paths.blobs, algorithm);
    for (const hex of await readdir(directory).catch(() => [])) {
      if (referenced.has(`${algorithm}:${hex}`)) continue;
      const path = join(directory, hex);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || Date.now() - found.mtimeMs < minimumAgeMs) continue;
      await rm(path, { force: true });
      freedBytes += found.size;
    }
  }
  return freedBytes;
}
