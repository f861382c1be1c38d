import { join } from "node:path";
import { type Digest, digestAlgorithm, digestHex } from "../digest.ts";

/** Where the content store under `root` (/var/lib/ctl/images/blobs) keeps a digest: `sha256/HEX`, as OCI image-layout. */
export function blobPath(root: string, digest: Digest): string {
  return join(root, digestAlgorithm(digest), digestHex(digest));
}

/** Where blobs are written until their digest is known to be right. On the same file system: rename must be atomic. */
export function ingestDirectory(root: string): string {
  return join(root, "ingest");
}
