import { abortError, raceSignal } from "../../kit/deadlines.ts";
import { fromFailure } from "../../kit/linux/thread-failure.ts";
import { allOf } from "../../kit/parallel.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { Digest } from "../digest.ts";
import type { Descriptor } from "../manifest.ts";
import type { ExtractedLayer } from "./extract.ts";
import type { ExtractionPool, RunningJob } from "./extraction-pool.ts";
import type { FinishedLayer } from "./finish.ts";
import type { FromWorker, ToWorker } from "./jobs.ts";
import type { LayerLimits } from "./limits.ts";
import type { MissingLinkTarget } from "./notes.ts";
import type { XattrFormat } from "./whiteout.ts";

export interface LayerIngest {
  /** The compressed bytes, asked for when a thread is free: `(signal) => repository.blob(descriptor, signal)`. */
  readonly source: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Where the layer will be, absolute: …/images/l/NAME, a name that no attempt had before. */
  readonly directory: string;
  /** The content store that keeps the compressed bytes; left out: it has them, and they are the source. */
  readonly blobsRoot?: string;
  readonly limits: LayerLimits;
  readonly xattrs: XattrFormat;
  /** Totals so far; both end at their full size. */
  readonly onProgress?: (progress: LayerProgress) => void;
}

export interface LayerProgress {
  readonly downloadedBytes: number;
  /** Compressed bytes that are on disk, extracted. */
  readonly extractedBytes: number;
}

export interface LayerFinish {
  readonly directory: string;
  /** The directories of the layers below, uppermost first, themselves finished. */
  readonly lowerDirectories: readonly string[];
  readonly impliedDirectories: readonly BytePath[];
  readonly missingLinkTargets: readonly MissingLinkTarget[];
  readonly limits: LayerLimits;
  readonly xattrs: XattrFormat;
}

/** Sent and not yet worked off, per layer: enough to keep a thread busy while the next piece comes. */
const WINDOW_BYTES = 2 << 20;

/**
 * Download, verify, store, decompress and extract one layer, in one pass with back-pressure, the work in a thread.
 * Afterwards the directory and the blob are whole, but only `syncLayers` makes the directory durable: call it before
 * the layer's row is committed. With implied directories or missing link targets the layer is not self-contained:
 * `finishLayer` it on its parents. On any error nothing is left but, after a crash, what `sweepLayers` removes.
 * Throws DATA_LOSS DIGEST_MISMATCH; INVALID_ARGUMENT LAYER_ESCAPES_ROOT, LAYER_CORRUPT; RESOURCE_EXHAUSTED
 * LAYER_TOO_LARGE, NO_SPACE; ALREADY_EXISTS LAYER_DIRECTORY_EXISTS; UNIMPLEMENTED LAYER_COMPRESSION; the source's.
 */
export async function ingestLayer(
  request: LayerIngest,
  pool: ExtractionPool,
  signal: AbortSignal,
): Promise<ExtractedLayer> {
  const { descriptor, diffId, directory, blobsRoot, limits, xattrs } = request;
  const blob = { digest: descriptor.digest, size: descriptor.size };
  using running = await pool.start({ kind: "ingest", blob, diffId, directory, blobsRoot, limits, xattrs }, signal);
  const window = new Window(request);
  try {
    const [, layer] = await allOf(
      [
        (s: AbortSignal) => feed(request, running, window, s),
        (s: AbortSignal) => answer<ExtractedLayer>(running, s, (message) => window.onConsumed(message.compressedBytes)),
      ] as const,
      signal,
    );
    return layer;
  } catch (error) {
    throw signal.aborted ? abortError(signal, "extract the layer") : error;
  }
}

/**
 * Makes a layer that is not self-contained whole, from the layers below it: implied directories get the attributes
 * of theirs (or, where they have a symlink, go where that leads), missing link targets are copied up. After an error the
 * layer is useless: remove it. Throws INVALID_ARGUMENT LAYER_CORRUPT where a link's target is nowhere;
 * RESOURCE_EXHAUSTED NO_SPACE.
 */
export async function finishLayer(
  request: LayerFinish,
  pool: ExtractionPool,
  signal: AbortSignal,
): Promise<FinishedLayer> {
  const { directory, lowerDirectories, impliedDirectories, missingLinkTargets, limits, xattrs } = request;
  const notes = { impliedDirectories, missingLinkTargets };
  using running = await pool.start({ kind: "finish", directory, lowerDirectories, ...notes, limits, xattrs }, signal);
  return await answer<FinishedLayer>(running, signal, () => {});
}

async function feed(request: LayerIngest, running: RunningJob, window: Window, signal: AbortSignal): Promise<void> {
  const send = (message: ToWorker, transfer: ArrayBuffer[] = []) => running.port.postMessage(message, transfer);
  try {
    for await (const chunk of request.source(signal)) {
      await window.room(signal);
      const bytes = new Uint8Array(chunk); // a copy: the network's buffers are shared, and this one is given away
      window.onSent(bytes.length);
      send({ kind: "chunk", bytes }, [bytes.buffer]);
    }
    send({ kind: "end" });
  } catch (error) {
    send({ kind: "stop" });
    throw error;
  }
}

/** The job's result. After an abort the thread is told, and waited for: it has something to undo. */
async function answer<T>(
  running: RunningJob,
  signal: AbortSignal,
  onConsumed: (message: Extract<FromWorker, { kind: "consumed" }>) => void,
): Promise<T> {
  const result = Promise.withResolvers<T>();
  const stop = () => running.port.postMessage({ kind: "stop" } satisfies ToWorker);
  running.port.on("message", (message: FromWorker) => {
    if (message.kind === "consumed") onConsumed(message);
    else if (message.kind === "failed") result.reject(fromFailure(message.failure));
    else result.resolve(message.result as T); // the job's kind decides what its answer is
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (signal.aborted) stop();
    return await Promise.race([result.promise, running.died]);
  } catch (error) {
    throw signal.aborted ? abortError(signal, "extract the layer") : error;
  } finally {
    signal.removeEventListener("abort", stop);
    result.promise.catch(() => {});
  }
}

/** How far the thread is behind the network. */
class Window {
  readonly #report: (progress: LayerProgress) => void;
  #sent = 0;
  #consumed = 0;
  #room = Promise.withResolvers<void>();

  constructor({ onProgress }: Pick<LayerIngest, "onProgress">) {
    this.#report = onProgress ?? (() => {});
  }

  async room(signal: AbortSignal): Promise<void> {
    while (this.#sent - this.#consumed >= WINDOW_BYTES) {
      this.#room = Promise.withResolvers<void>();
      await raceSignal(this.#room.promise, signal, "extract the layer");
    }
  }

  onSent(bytes: number): void {
    this.#sent += bytes;
    this.#progress();
  }

  onConsumed(total: number): void {
    this.#consumed = total;
    this.#room.resolve();
    this.#progress();
  }

  #progress(): void {
    this.#report({ downloadedBytes: this.#sent, extractedBytes: this.#consumed });
  }
}
