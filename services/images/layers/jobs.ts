import type { MessagePort } from "node:worker_threads";
import { CtlError, type ErrorCode } from "../../kit/errors.ts";
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

/** An error on its way between threads: structured clone keeps neither classes nor private fields. */
export interface Failure {
  readonly code: ErrorCode | undefined;
  readonly reason: string;
  readonly what: string;
  readonly why: string;
  readonly fix: string | undefined;
  readonly detail: string;
}

export function toFailure(error: unknown): Failure {
  const detail = detailOf(error);
  if (!(error instanceof CtlError)) {
    return { code: undefined, reason: "", what: "", why: "", fix: undefined, detail };
  }
  const { code, reason, what, why, fix } = error;
  return { code, reason, what, why, fix, detail };
}

export function fromFailure(failure: Failure): Error {
  const { code, reason, what, why, fix, detail } = failure;
  if (code === undefined) return new Error(`an extraction thread failed: ${detail}`);
  return new CtlError(code, { reason, what, why, cause: detail, ...(fix === undefined ? {} : { fix }) });
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by: ${detailOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
