import type { Digest } from "./digest.ts";
import { MAX_CONFIG_BYTES, parseImageConfig } from "./image-config.ts";
import { parseManifest } from "./manifest.ts";
import type { Platform } from "./platform.ts";
import { familiarReference, type Reference } from "./reference.ts";
import type { RemoteRepository } from "./registry/client.ts";

export interface RemoteImage {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly platforms: readonly Platform[];
}

/** What a registry has under a name: an index's platforms, or that of the image's configuration. Nothing is stored. */
export async function inspectRemote(
  reference: Reference,
  repository: RemoteRepository,
  signal: AbortSignal,
): Promise<RemoteImage> {
  const name = familiarReference(reference);
  const { bytes, digest, contentType } = await repository.manifest(
    reference.digest ?? reference.tag ?? "latest",
    signal,
  );
  const manifest = parseManifest(bytes, contentType, name);
  const found = { mediaType: manifest.mediaType, digest, sizeBytes: bytes.length };
  if (manifest.kind === "index") {
    return { ...found, platforms: manifest.manifests.flatMap(({ platform }) => platform ?? []) };
  }
  const config = await repository.smallBlob(manifest.config, MAX_CONFIG_BYTES, signal);
  return { ...found, platforms: [parseImageConfig(config, name).platform] };
}
