import { join } from "node:path";

/** Where the images service keeps what it keeps, below the daemon's root. */
export interface ImagePaths {
  /** Compressed layers, manifests and configurations by digest. */
  readonly blobs: string;
  /** Extracted layers, in directories with short names. */
  readonly layers: string;
}

export function imagePaths(root: string): ImagePaths {
  return { blobs: join(root, "images", "blobs"), layers: join(root, "images", "l") };
}
