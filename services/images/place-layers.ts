import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import type { Db } from "../kit/database.ts";
import { sleep } from "../kit/deadlines.ts";
import { isCtlError } from "../kit/errors.ts";
import { inParallel } from "../kit/parallel.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import { inSpan } from "../kit/telemetry/trace.ts";
import { blobPath } from "./blobs/blob-path.ts";
import { hasBlob } from "./blobs/read.ts";
import type { Digest } from "./digest.ts";
import { chainIds } from "./layers/chain-id.ts";
import type { ExtractedLayer } from "./layers/extract.ts";
import { finishLayer, ingestLayer, type LayerProgress } from "./layers/ingest.ts";
import { removeLayerDirectory } from "./layers/layer-directory.ts";
import { DEFAULT_LAYER_LIMITS } from "./layers/limits.ts";
import { syncLayers } from "./layers/sync.ts";
import type { Descriptor } from "./manifest.ts";
import type { PullDeps, PullObserver } from "./pull.ts";
import type { RemoteRepository } from "./registry/client.ts";
import { forgetLayer, layerReady, readyLayer, reserveLayer } from "./store/layers.ts";

export interface PulledLayer {
  readonly blob: Descriptor;
  readonly diffId: Digest;
}

export interface PlaceDeps extends PullDeps {
  readonly repository: RemoteRepository;
  readonly observer: PullObserver;
  /** The key of the advisory lock that says "this pull lives": what it fills is nobody else's garbage. */
  readonly operation: string;
}

/** Ready layers of one image. Disposed without `keep`, what was made for it goes again. */
export interface PlacedLayers extends AsyncDisposable {
  /** Directory names below images/l, lowest layer first. */
  readonly names: readonly string[];
  /** Makes the new ones known as ready: in the transaction that refers to them, so that no collector sees them unused. */
  commit(tx: Db): Promise<void>;
  /** That transaction was committed. */
  keep(): void;
}

interface Placing {
  readonly position: number;
  readonly layer: PulledLayer;
  readonly chainId: Digest;
  name: string;
  /** Undefined: it was there. */
  extracted: ExtractedLayer | undefined;
}

const XATTRS = "trusted";
const LOCK_RETRY_MS = 100;
/** Layers asked for at once; the extraction pool and the registry's connections bound the real work. */
const AT_ONCE = 128;

/**
 * Every layer as a ready directory: those that are there as they are, all others downloaded and extracted at the same
 * time; those that are not self-contained are then finished on their parents, in order; one syncfs for all.
 */
export async function placeImageLayers(
  layers: readonly PulledLayer[],
  deps: PlaceDeps,
  signal: AbortSignal,
): Promise<PlacedLayers> {
  const chain = chainIds(layers.map((layer) => layer.diffId));
  const session = await deps.db.session();
  const made: Placing[] = [];
  let isKept = false;
  const undo = async (): Promise<void> => {
    if (!isKept) await Promise.all(made.map((placing) => discard(placing, deps)));
    await session.end();
  };
  try {
    await session.query("select pg_advisory_lock($1::bigint)", [deps.operation]);
    const place = (layer: PulledLayer, s: AbortSignal, position: number) =>
      placeOne(
        { position, layer, chainId: chain[position] ?? layer.diffId, name: "", extracted: undefined },
        made,
        session,
        deps,
        s,
      );
    const placed = await inParallel(layers, place, signal, AT_ONCE);
    const added = made.length > 0 ? await finishLayers(placed, deps, signal) : new Map<string, number>();
    return {
      names: placed.map(({ name }) => name),
      commit: (tx) => recordReady(tx, made, added, deps),
      keep: () => {
        isKept = true;
      },
      [Symbol.asyncDispose]: undo,
    };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** One pull extracts a layer, others wait for it: writers of one diff id meet at an advisory lock. */
async function placeOne(
  placing: Placing,
  made: Placing[],
  session: pg.Client,
  deps: PlaceDeps,
  signal: AbortSignal,
): Promise<Placing> {
  const { layer, chainId } = placing;
  const { blob, diffId } = layer;
  const { db, node, observer, operation } = deps;
  for (;;) {
    const ready = await readyLayer(db, node, diffId, chainId);
    if (ready !== undefined) {
      observer.onLayer(blob.digest, "exists", blob.size, blob.size);
      placing.name = ready.name;
      return placing;
    }
    const twin = made.find((other) => other.layer.diffId === diffId);
    if (twin?.extracted !== undefined && isSelfContained(twin.extracted)) {
      placing.name = twin.name; // the same content twice in one image
      return placing;
    }
    const isFree = twin === undefined || twin.extracted !== undefined;
    if (isFree && (await tryLock(session, node, diffId))) break;
    observer.onLayer(blob.digest, "waiting", 0, blob.size);
    await sleep(LOCK_RETRY_MS, signal);
  }
  placing.name = await reserveLayer(db, node, diffId, operation);
  made.push(placing);
  placing.extracted = await fetchAndExtract(placing, deps, signal);
  return placing;
}

async function tryLock(session: pg.Client, node: string, diffId: Digest): Promise<boolean> {
  const { rows } = await session.query("select pg_try_advisory_lock(hashtextextended($1, 0)) as mine", [
    `images.layer.${node}.${diffId}`,
  ]);
  return rows[0]?.mine === true;
}

function fetchAndExtract(placing: Placing, deps: PlaceDeps, signal: AbortSignal): Promise<ExtractedLayer> {
  const { blob } = placing.layer;
  const { paths, repository, observer } = deps;
  return inSpan("layer.fetch", { attributes: { [attribute.layerDigest]: blob.digest } }, async () => {
    const download = () => extract(placing, (s) => repository.blob(blob, s), paths.blobs, deps, signal);
    observer.onLayer(blob.digest, "downloading", 0, blob.size);
    const extracted = (await hasBlob(paths.blobs, blob))
      ? await extractStored(placing, deps, signal).catch(async (error: unknown) => {
          if (!isCtlError(error, "DATA_LOSS") && !isGone(error)) throw error;
          await rm(blobPath(paths.blobs, blob.digest), { force: true }); // the disk did not keep it: fetch it again
          return download();
        })
      : await download();
    observer.onLayer(blob.digest, "done", blob.size, blob.size);
    return extracted;
  });
}

/** Removed with another image in the moment in which it was to be read. */
function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function extractStored(placing: Placing, deps: PlaceDeps, signal: AbortSignal): Promise<ExtractedLayer> {
  const path = blobPath(deps.paths.blobs, placing.layer.blob.digest);
  return extract(placing, () => createReadStream(path), undefined, deps, signal);
}

/** `blobsRoot`: where the compressed bytes are kept as they go by; undefined: they come from there. */
function extract(
  { name, layer: { blob, diffId } }: Placing,
  source: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  blobsRoot: string | undefined,
  { paths, pool, observer }: PlaceDeps,
  signal: AbortSignal,
): Promise<ExtractedLayer> {
  const request = {
    source,
    descriptor: blob,
    diffId,
    directory: join(paths.layers, name),
    ...(blobsRoot === undefined ? {} : { blobsRoot }),
    limits: DEFAULT_LAYER_LIMITS,
    xattrs: XATTRS,
    onProgress: ({ downloadedBytes, extractedBytes }: LayerProgress) => {
      const isDownloaded = downloadedBytes >= blob.size;
      const phase = isDownloaded ? "extracting" : "downloading";
      observer.onLayer(blob.digest, phase, isDownloaded ? extractedBytes : downloadedBytes, blob.size);
    },
  } as const;
  return inSpan("layer.extract", { attributes: { [attribute.layerDigest]: blob.digest } }, () =>
    ingestLayer(request, pool, signal),
  );
}

/** In order, each on parents that are whole; then one syncfs for all. Answers the bytes that were copied up, by name. */
async function finishLayers(
  placed: readonly Placing[],
  { paths, pool }: PlaceDeps,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const addedBytes = new Map<string, number>();
  for (const { extracted, name, position } of placed) {
    if (extracted === undefined || isSelfContained(extracted)) continue;
    const lower = placed.slice(0, position).map((below) => join(paths.layers, below.name));
    const finished = await finishLayer(
      {
        directory: join(paths.layers, name),
        lowerDirectories: lower.toReversed(),
        impliedDirectories: extracted.impliedDirectories,
        missingLinkTargets: extracted.missingLinkTargets,
        limits: DEFAULT_LAYER_LIMITS,
        xattrs: XATTRS,
      },
      pool,
      signal,
    );
    addedBytes.set(name, finished.addedBytes);
  }
  await inSpan("layers.sync", {}, () => syncLayers(paths.layers));
  return addedBytes;
}

async function recordReady(
  tx: Db,
  made: readonly Placing[],
  addedBytes: ReadonlyMap<string, number>,
  { node }: PlaceDeps,
): Promise<void> {
  for (const { name, layer, chainId, extracted } of made) {
    if (extracted === undefined) continue;
    const added = addedBytes.get(name) ?? 0;
    const key = isSelfContained(extracted) ? layer.diffId : chainId;
    const sizes = { sizeBytes: extracted.sizeBytes + added, diskBytes: extracted.diskBytes + added };
    await layerReady(tx, node, { name, key, ...sizes });
  }
}

function isSelfContained({ impliedDirectories, missingLinkTargets }: ExtractedLayer): boolean {
  return impliedDirectories.length === 0 && missingLinkTargets.length === 0;
}

/** The directory goes before its row: a crash in between leaves a row that the reconciler finds. */
async function discard({ name }: Placing, { paths, db, node }: PlaceDeps): Promise<void> {
  await removeLayerDirectory(join(paths.layers, name));
  await forgetLayer(db, node, name);
}
