import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { invalidRequest } from "./query.ts";

/** A request whose client asked for the bare connection, and that connection. */
export interface UpgradedRequest {
  readonly stream: Duplex;
  readonly response: ServerResponse;
}

export const upgradeOf = new WeakMap<IncomingMessage, UpgradedRequest>();

/** Docker's clients ask with `Upgrade: tcp` for the stream of an attach or an exec, and browsers for a websocket. */
export function isHijack({ url, method, headers }: IncomingMessage): boolean {
  const path = url?.split("?")[0] ?? "";
  const protocol = headers.upgrade?.toLowerCase();
  return (
    (method === "POST" && protocol === "tcp" && /\/(containers\/[^/]+\/attach|exec\/[^/]+\/start)$/.test(path)) ||
    (method === "GET" && protocol === "websocket" && /\/containers\/[^/]+\/attach\/ws$/.test(path))
  );
}

/** The client's two directions once the answer's headers are sent. */
export interface RawStream {
  /** What the client sends, until it closes its side. */
  readonly input: AsyncIterable<Buffer>;
  /** Resolves when the bytes are taken or the client is gone. */
  write(data: Uint8Array): Promise<void>;
  end(): void;
}

/**
 * Answers the request with its headers and takes the connection: 101 for a client that asked for an upgrade, else 200
 * with the request's body as input and a body that ends with the connection.
 */
export function hijack(request: FastifyRequest, reply: FastifyReply, contentType: string): RawStream {
  if (!upgradeOf.has(request.raw)) return plainStream(request, reply, contentType);
  return takeConnection(request, reply, [`Content-Type: ${contentType}`, "Upgrade: tcp"]);
}

/** Answers with 101, and with these headers beside those of every answer. The request must have asked for an upgrade. */
export function takeConnection(request: FastifyRequest, reply: FastifyReply, headers: readonly string[]): RawStream {
  const upgraded = upgradeOf.get(request.raw);
  if (upgraded === undefined) throw invalidRequest("the request asks for no upgrade of its connection");
  reply.hijack();
  const { stream, response } = upgraded;
  const usual = Object.entries(response.getHeaders()).map(([name, value]) => `${name}: ${String(value)}`);
  response.detachSocket(stream as Parameters<ServerResponse["detachSocket"]>[0]);
  const lines = ["HTTP/1.1 101 UPGRADED", "Connection: Upgrade", ...headers, ...usual];
  stream.write(`${lines.join("\r\n")}\r\n\r\n`);
  // the iterator of a stream by itself destroys it where its reading side ends; the output is to go on
  const input = stream.iterator({ destroyOnReturn: false });
  return { input, write: (data) => writeTo(stream, data), end: () => endStream(stream) };
}

/** A client that keeps its side open after the end has a moment to close it: unread input at a close is a reset for it. */
function endStream(stream: Duplex): void {
  stream.end();
  const timer = setTimeout(() => stream.destroy(), CLOSE_GRACE_MS);
  stream.once("close", () => clearTimeout(timer));
}

const CLOSE_GRACE_MS = 2_000;

function plainStream(request: FastifyRequest, reply: FastifyReply, contentType: string): RawStream {
  reply.hijack();
  const response = reply.raw;
  response.useChunkedEncodingByDefault = false;
  response.shouldKeepAlive = false;
  response.writeHead(200, { "content-type": contentType });
  response.flushHeaders();
  const input = request.raw.iterator({ destroyOnReturn: false });
  return { input, write: (data) => writeTo(response, data), end: () => response.end() };
}

/** Waits while the client does not read, so that its backlog stays where it came from. */
export async function writeTo(target: Duplex | ServerResponse, data: Uint8Array): Promise<void> {
  if (target.destroyed || target.writableEnded || target.write(data)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  target.once("drain", resolve);
  target.once("close", resolve);
  await promise;
  target.off("drain", resolve);
  target.off("close", resolve);
}
