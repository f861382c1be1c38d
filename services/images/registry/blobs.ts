import { backoffMs } from "../../kit/backoff.ts";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import type { Descriptor } from "../manifest.ts";
import { chunksOf } from "./body.ts";
import { ask, type Session } from "./session.ts";
import type { HttpResponse } from "./transport.ts";

export interface BlobQuery {
  readonly blob: Descriptor;
  /** What of it is there already, in bytes. */
  readonly offset: number;
  readonly what: string;
  readonly hasAlternative: boolean;
}

/** However little each connection brings, a blob takes no more than these. */
const MAX_CONNECTIONS = 100;

/**
 * A blob's bytes from `offset` to its end, over as many connections as it takes: a broken one is resumed by Range with
 * backoff, `retry.attempts` times in a row without progress. Not verified: who stores them hashes them.
 * Throws UNAVAILABLE REGISTRY_UNAVAILABLE; NOT_FOUND BLOB_NOT_FOUND; DATA_LOSS DIGEST_MISMATCH when it is too long.
 */
export async function* blobChunks(
  session: Session,
  query: BlobQuery,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { attempts, baseMs, capMs } = session.retry;
  const { size } = query.blob;
  let offset = query.offset;
  let failures = 0;
  for (let connections = 1; offset < size; connections++) {
    const before = offset;
    const response = await ask(session, requestFor(query, offset), signal);
    let cause: unknown;
    try {
      for await (const chunk of bodyFrom(response, offset, signal)) {
        offset += chunk.length;
        if (offset > size) throw tooLong(query);
        yield chunk;
      }
    } catch (error) {
      if (error instanceof CtlError) throw error;
      cause = error;
    }
    if (offset === size) return;
    failures = offset > before ? 1 : failures + 1;
    if (failures >= attempts || connections >= MAX_CONNECTIONS) throw broken(query, session, offset, cause);
    await sleep(backoffMs(failures - 1, baseMs, capMs), signal);
  }
}

function requestFor(query: BlobQuery, offset: number) {
  return {
    method: "GET",
    path: `blobs/${query.blob.digest}`,
    headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
    what: query.what,
    hasAlternative: query.hasAlternative && offset === 0,
    isFirst: false,
  } as const;
}

/** The wanted part of an answer: a server may ignore Range (RFC 9110 §14.2) and start at 0 again. */
async function* bodyFrom(
  response: HttpResponse,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let skip = response.status === 206 ? offset - startOf(response) : offset;
  if (skip < 0) {
    response.body.destroy();
    throw new Error("the answer starts beyond what was asked for");
  }
  for await (const chunk of chunksOf(response.body, signal)) {
    const skipped = Math.min(skip, chunk.length);
    skip -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

function startOf(response: HttpResponse): number {
  const match = /^bytes (\d{1,15})-/.exec(response.headers["content-range"] ?? "");
  return match === null ? 0 : Number(match[1]);
}

function tooLong(query: BlobQuery): CtlError {
  return new CtlError("DATA_LOSS", {
    reason: "DIGEST_MISMATCH",
    what: query.what,
    why: `the registry sends more than the ${query.blob.size} bytes of ${query.blob.digest}`,
    fix: "try again; if it stays so, the registry or a proxy in between serves damaged content",
  });
}

function broken(query: BlobQuery, session: Session, offset: number, cause: unknown): CtlError {
  const place = `after ${offset} of ${query.blob.size} bytes of ${query.blob.digest}`;
  return new CtlError("UNAVAILABLE", {
    reason: "REGISTRY_UNAVAILABLE",
    what: query.what,
    why: `the connection to ${session.access.endpoint.url} broke ${place} and could not be resumed`,
    fix: "check the network and try again",
    cause,
  });
}
