import { CtlError } from "../../kit/errors.ts";

/** How much of this host one layer may take before it is refused as LAYER_TOO_LARGE. */
export interface LayerLimits {
  readonly maxEntries: number;
  /** Of the uncompressed archive: what a decompression bomb unfolds to. */
  readonly maxArchiveBytes: number;
  /** Of one file, holes counted. */
  readonly maxFileBytes: number;
  /** Directories above an entry. */
  readonly maxDepth: number;
  /** Of one entry's path. Below PATH_MAX, so that everything can be named, and removed, from its layer's directory. */
  readonly maxPathBytes: number;
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = {
  maxEntries: 5_000_000,
  maxArchiveBytes: 128 * 2 ** 30,
  maxFileBytes: 2 ** 40,
  maxDepth: 1024,
  maxPathBytes: 3800,
};

export function tooLarge(why: string): CtlError {
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "LAYER_TOO_LARGE",
    what: "extract the layer",
    why,
    fix: "raise the limit in /etc/ctl/ctl.yaml if you trust this image",
  });
}
