import type { FastifyReply } from "fastify";
import { asCtlError } from "../../services/kit/errors.ts";
import { errorAnswer } from "./errors.ts";
import { writeTo } from "./hijack.ts";

/** JSON as Go's encoder ends it, and without the charset that fastify would add. */
export function json(reply: FastifyReply, value: unknown, status = 200): FastifyReply {
  return reply.code(status).header("content-type", "application/json").send(jsonLine(value));
}

export function jsonLine(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

export function nothing(reply: FastifyReply, status = 204): FastifyReply {
  return reply.code(status).send();
}

export interface StreamSettings {
  readonly contentType: string;
  /** The client is told at once that its request is being served, not with the first bytes. */
  readonly isFlushedAtOnce: boolean;
  /** What is written where the source fails after its first bytes; without it the connection breaks off. */
  readonly failure?: (message: string) => Uint8Array;
}

/**
 * Sends a body piece by piece, no faster than the client reads. An error before the first piece is thrown, so that it is
 * answered with its status. A client that goes away ends the iteration.
 */
export async function streamed(
  reply: FastifyReply,
  source: AsyncIterable<Uint8Array>,
  settings: StreamSettings,
): Promise<void> {
  const pieces = source[Symbol.asyncIterator]();
  if (settings.isFlushedAtOnce) start(reply, settings.contentType);
  try {
    let piece = await pieces.next();
    if (!settings.isFlushedAtOnce) start(reply, settings.contentType);
    while (piece.done !== true && !reply.raw.destroyed) {
      await writeTo(reply.raw, piece.value);
      piece = await pieces.next();
    }
    reply.raw.end();
  } catch (error) {
    if (!reply.sent) throw error;
    breakOff(reply, error, settings);
  } finally {
    await pieces.return?.();
  }
}

function start(reply: FastifyReply, contentType: string): void {
  reply.hijack();
  reply.raw.writeHead(200, { "content-type": contentType });
  reply.raw.flushHeaders();
}

function breakOff(reply: FastifyReply, error: unknown, settings: StreamSettings): void {
  if (settings.failure === undefined) {
    reply.raw.destroy();
    return;
  }
  const { message } = errorAnswer(asCtlError(error, "serve the request"), reply.request.subject);
  reply.raw.end(settings.failure(message));
}
