import type { MessagePort } from "node:worker_threads";
import { AsyncQueue } from "../../kit/async-queue.ts";
import { CtlError } from "../../kit/errors.ts";
import type { FileCalls } from "../../kit/linux/file-calls.ts";
import { toFailure } from "../../kit/linux/thread-failure.ts";
import { type BlobIngest, openIngest, verifyOnly } from "../blobs/ingest.ts";
import { type ExtractedLayer, LayerExtractor } from "./extract.ts";
import { extractArchive } from "./extract-archive.ts";
import { finishExtracted } from "./finish.ts";
import type { FromWorker, IngestJob, Job, ToWorker } from "./jobs.ts";
import { makeUnfinished } from "./layer-directory.ts";

/** Runs one job in this thread and answers over its port, which it closes. Never rejects. */
export async function runJob(job: Job, port: MessagePort, calls: FileCalls): Promise<void> {
  const post = (message: FromWorker) => port.postMessage(message);
  try {
    post({
      kind: "done",
      result: job.kind === "finish" ? finishExtracted(job, calls) : await runIngest(job, port, calls, post),
    });
  } catch (error) {
    post({ kind: "failed", failure: toFailure(error) });
  } finally {
    port.close();
  }
}

async function runIngest(
  job: IngestJob,
  port: MessagePort,
  calls: FileCalls,
  post: (message: FromWorker) => void,
): Promise<ExtractedLayer> {
  const chunks = chunksFrom(port); // listens at once: what was sent must not wait for the disk
  await using blob: BlobIngest =
    job.blobsRoot === undefined ? verifyOnly(job.blob) : await openIngest(job.blobsRoot, job.blob);
  await using directory = await makeUnfinished(job.directory);
  using extractor = new LayerExtractor({ calls, directory: directory.path, limits: job.limits, xattrs: job.xattrs });
  const layer = await extractArchive({
    chunks,
    blob,
    diffId: job.diffId,
    extractor,
    limits: job.limits,
    onConsumed: (compressedBytes, archiveBytes) => post({ kind: "consumed", compressedBytes, archiveBytes }),
  });
  await directory.publish();
  return layer;
}

/** The chunks that are sent over a port, until their end; throws once the sender says stop or is gone. */
function chunksFrom(port: MessagePort): AsyncIterable<Uint8Array> {
  const queue = new AsyncQueue<Uint8Array>();
  const stop = () => {
    const why = "it is no longer wanted";
    queue.fail(new CtlError("CANCELLED", { reason: "CANCELLED", what: "extract the layer", why }));
  };
  port.on("message", (message: ToWorker) => {
    if (message.kind === "chunk") queue.push(message.bytes);
    else if (message.kind === "end") queue.end();
    else stop();
  });
  port.on("close", stop);
  return queue;
}
