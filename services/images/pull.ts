import { randomBytes } from "node:crypto";
import type { Database } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { inSpan } from "../kit/telemetry/trace.ts";
import { ingestBlob } from "./blobs/ingest.ts";
import type { Digest } from "./digest.ts";
import { type ImageConfig, MAX_CONFIG_BYTES, pairLayers, parseImageConfig } from "./image-config.ts";
import type { ExtractionPool } from "./layers/extraction-pool.ts";
import { type ImageManifest, parseManifest } from "./manifest.ts";
import type { ImagePaths } from "./paths.ts";
import { type PlacedLayers, type PulledLayer, placeImageLayers } from "./place-layers.ts";
import { choosePlatform, formatPlatform, hostPlatform, type Platform, platformRank } from "./platform.ts";
import { familiarReference, type Reference, repositoryName } from "./reference.ts";
import type { RemoteRepository } from "./registry/client.ts";
import type { FetchedManifest } from "./registry/manifests.ts";
import { addRepoDigest, type ImageRow, imageById, setTag, upsertImage } from "./store/images.ts";
import { countReady, lockPlacement, placeLayers, setImageLayers } from "./store/layers.ts";

export interface PullDeps {
  readonly db: Database;
  readonly node: string;
  readonly paths: ImagePaths;
  readonly pool: ExtractionPool;
}

export type LayerPhase = "exists" | "waiting" | "downloading" | "extracting" | "done";

export interface PullObserver {
  onStarted(digest: Digest, layers: readonly { readonly digest: Digest; readonly sizeBytes: number }[]): void;
  onLayer(digest: Digest, phase: LayerPhase, currentBytes: number, totalBytes: number): void;
}

export interface PulledImage {
  readonly row: ImageRow;
  /** False: this name had this image already. */
  readonly changed: boolean;
}

/**
 * Brings an image from its registry: manifest, configuration, then all layers at once, each downloaded, verified and
 * extracted in one pass. Only when everything is on disk the image and its tag appear, in one transaction. What fails
 * leaves no directory; verified blobs stay for the next attempt until the collector takes them.
 * Throws what the registry client and the layers throw; NOT_FOUND PLATFORM_NOT_FOUND; INVALID_ARGUMENT MANIFEST_INVALID.
 */
export async function pull(
  reference: Reference,
  platform: Platform,
  repository: RemoteRepository,
  deps: PullDeps,
  observer: PullObserver,
  signal: AbortSignal,
): Promise<PulledImage> {
  const name = familiarReference(reference);
  return inSpan("image.pull", { attributes: { [attribute.imageName]: name } }, async () => {
    const source = await fetchSource(reference, platform, repository, deps, signal);
    const descriptors = source.layers.map(({ blob }) => ({ digest: blob.digest, sizeBytes: blob.size }));
    observer.onStarted(source.top.digest, descriptors);
    const operation = randomBytes(8).readBigInt64BE().toString();
    await using placed = await placeImageLayers(source.layers, { ...deps, repository, observer, operation }, signal);
    const pulled = await record(reference, source, placed, deps);
    placed.keep();
    return pulled;
  });
}

interface Source {
  /** What the tag names: an index or a manifest. */
  readonly top: FetchedManifest;
  readonly manifestDigest: Digest;
  readonly manifest: ImageManifest;
  readonly config: ImageConfig;
  readonly layers: readonly PulledLayer[];
}

async function fetchSource(
  reference: Reference,
  platform: Platform,
  repository: RemoteRepository,
  { paths }: PullDeps,
  signal: AbortSignal,
): Promise<Source> {
  const name = familiarReference(reference);
  const top = await repository.manifest(reference.digest ?? reference.tag ?? "latest", signal);
  const { fetched, manifest } = await imageManifest(top, platform, name, repository, signal);
  const bytes = await repository.smallBlob(manifest.config, MAX_CONFIG_BYTES, signal);
  const config = parseImageConfig(bytes, name);
  if (platformRank(platform, config.platform) === undefined) throw otherPlatform(name, platform, config.platform);
  for (const document of new Set([top, fetched])) {
    await ingestBlob(paths.blobs, [document.bytes], { digest: document.digest, size: document.bytes.length }, signal);
  }
  await ingestBlob(paths.blobs, [bytes], manifest.config, signal);
  return { top, manifestDigest: fetched.digest, manifest, config, layers: pairLayers(manifest, config, name) };
}

async function imageManifest(
  top: FetchedManifest,
  platform: Platform,
  name: string,
  repository: RemoteRepository,
  signal: AbortSignal,
): Promise<{ fetched: FetchedManifest; manifest: ImageManifest }> {
  const parsed = parseManifest(top.bytes, top.contentType, name);
  if (parsed.kind === "image") return { fetched: top, manifest: parsed };
  const entry = choosePlatform(parsed.manifests, platform, name);
  const fetched = await repository.manifest(entry.digest, signal);
  const manifest = parseManifest(fetched.bytes, fetched.contentType, name);
  if (manifest.kind === "image") return { fetched, manifest };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "MANIFEST_INVALID",
    what: `pull ${name}`,
    why: "its index leads to another index",
  });
}

async function record(
  reference: Reference,
  { top, manifestDigest, manifest, config, layers }: Source,
  placed: PlacedLayers,
  { db, node }: PullDeps,
): Promise<PulledImage> {
  const id = manifest.config.digest;
  return db.transaction(async (tx) => {
    await lockPlacement(tx, node, "placing");
    await placed.commit(tx);
    const { names } = placed;
    if ((await countReady(tx, node, names)) !== new Set(names).size) throw layersGone(reference);
    await upsertImage(tx, { id, manifestDigest, config, createdAt: parseTime(config.created) });
    const imageLayers = layers.map(({ blob, diffId }) => ({
      digest: blob.digest,
      sizeBytes: blob.size,
      mediaType: blob.mediaType,
      diffId,
    }));
    await setImageLayers(tx, id, imageLayers);
    await placeLayers(tx, node, id, names);
    await addRepoDigest(tx, repositoryName(reference), top.digest, id);
    const before =
      reference.digest === undefined
        ? await setTag(tx, repositoryName(reference), reference.tag ?? "latest", id)
        : undefined;
    const attributes = { name: familiarReference(reference) };
    await recordEvent(tx, db.schema, { type: "image", action: "pull", subject: attributes.name, attributes });
    const row = await imageById(tx, id);
    if (row === undefined) throw layersGone(reference);
    return { row, changed: before !== id };
  });
}

function parseTime(text: string | undefined): Date | undefined {
  const time = new Date(text ?? "");
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** Nothing referred to the layers until now, and a removal took one of them: rare, and mended by pulling again. */
function layersGone(reference: Reference): CtlError {
  return new CtlError("ABORTED", {
    reason: "LAYERS_REMOVED_MEANWHILE",
    what: `pull ${familiarReference(reference)}`,
    why: "a layer that it shares with a removed image was deleted meanwhile",
    fix: "pull it again",
  });
}

function otherPlatform(name: string, wanted: Platform, offered: Platform): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "PLATFORM_NOT_FOUND",
    what: `find ${name} for ${formatPlatform(wanted)}`,
    why: `it exists only for ${formatPlatform(offered)}`,
    fix: `pull it with --platform ${formatPlatform(offered)}, or choose another image`,
  });
}

/** What the caller asked for, or what this host runs. */
export function wantedPlatform(platform: Platform | undefined): Platform {
  return platform ?? hostPlatform();
}
