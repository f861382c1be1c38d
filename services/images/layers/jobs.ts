import type { MessagePort } from "node:worker_threads";
import type { Failure } from "../../kit/linux/thread-failure.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { ExpectedContent } from "../blobs/ingest.ts";
import type { Digest } from "../digest.ts";
import type { LayerLimits } from "./limits.ts";
import type { MissingLinkTarget } from "./notes.ts";
import type { XattrFormat } from "./whiteout.ts";

/** What an extraction thread is asked to do. Everything here is copied from thread to thread. */
export type Job = IngestJob | FinishJob;

export interface IngestJob {
  readonly kind: "ingest";
  readonly blob: ExpectedContent;
  readonly diffId: Digest;
  /** Where the layer will be, absolute. */
  readonly directory: string;
  /** Where the compressed bytes are kept too; undefined: they are there already. */
  readonly blobsRoot: string | undefined;
  readonly limits: LayerLimits;
  readonly xattrs: XattrFormat;
}

export interface FinishJob {
  readonly kind: "finish";
  readonly directory: string;
  /** The layers below, uppermost first. */
  readonly lowerDirectories: readonly string[];
  readonly impliedDirectories: readonly BytePath[];
  readonly missingLinkTargets: readonly MissingLinkTarget[];
  readonly limits: LayerLimits;
  readonly xattrs: XattrFormat;
}

export interface JobMessage {
  readonly job: Job;
  readonly port: MessagePort;
}

export type ToWorker =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  /** The source failed or the caller left: undo and answer. */
  | { readonly kind: "stop" };

export type FromWorker =
  | { readonly kind: "consumed"; readonly compressedBytes: number; readonly archiveBytes: number }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly failure: Failure };
