import type { IncomingMessage } from "node:http";
import { abortError } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";

/** No byte for this long while we wait for one: the connection counts as broken. */
export const STALL_TIMEOUT_MS = 30_000;

/**
 * A body's chunks. Only our own waiting counts for the stall timeout: a reader that is held up by its disk is no
 * reason to drop the connection. Ends with an error also where the connection ends before the body does.
 */
export async function* chunksOf(
  body: IncomingMessage,
  signal: AbortSignal,
  stallTimeoutMs: number = STALL_TIMEOUT_MS,
): AsyncGenerator<Buffer, void, undefined> {
  let isWaiting = true;
  const timer = setTimeout(() => {
    if (isWaiting) body.destroy(new Error(`no byte came for ${stallTimeoutMs} ms`));
  }, stallTimeoutMs);
  try {
    for await (const chunk of body) {
      isWaiting = false;
      yield chunk;
      isWaiting = true;
      timer.refresh();
    }
  } catch (error) {
    throw signal.aborted ? abortError(signal, "read from the registry") : error;
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
}

/** A body that must be small, whole. Throws INVALID_ARGUMENT ANSWER_TOO_LARGE beyond `maxBytes`. */
export async function readBounded(body: IncomingMessage, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunksOf(body, signal)) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new CtlError("INVALID_ARGUMENT", {
        reason: "ANSWER_TOO_LARGE",
        what: "read a registry's answer",
        why: `it has more than the ${maxBytes} bytes that make sense there`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
