import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type RawStream, takeConnection, upgradeOf } from "../hijack.ts";
import { invalidRequest } from "../query.ts";
import { CloseStatus, closeFrame, frame, messages, Opcode } from "./frames.ts";

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Throws INVALID_ARGUMENT REQUEST_INVALID where the request opens no websocket: before anything is done for it. */
export function acceptKey(request: IncomingMessage): string {
  const { headers } = request;
  const key = headers["sec-websocket-key"] ?? "";
  if (!upgradeOf.has(request)) throw invalidRequest("not websocket protocol");
  if (headers["sec-websocket-version"] !== "13") throw invalidRequest("missing or bad WebSocket Version");
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) throw invalidRequest("mismatch challenge/response");
  return createHash("sha1").update(`${key}${ACCEPT_SUFFIX}`).digest("base64");
}

/** Answers the request with a websocket as two directions of bytes: what messages they came in says nothing. */
export function openWebSocket(request: FastifyRequest, reply: FastifyReply, accept: string): RawStream {
  const connection = takeConnection(request, reply, [`Upgrade: websocket`, `Sec-WebSocket-Accept: ${accept}`]);
  // until 1.28 output was called text, whatever it was
  const opcode = request.apiVersion.minor >= 28 ? Opcode.binary : Opcode.text;
  let isClosed = false;
  const close = (status: number): void => {
    if (isClosed) return;
    isClosed = true;
    void connection.write(closeFrame(status));
    connection.end();
  };
  const pong = async (data: Uint8Array) => {
    if (!isClosed) await connection.write(frame(Opcode.pong, data));
  };
  return {
    input: messages(connection.input, { pong, close }),
    write: async (data) => {
      if (!isClosed && data.length > 0) await connection.write(frame(opcode, data));
    },
    end: () => close(CloseStatus.normal),
  };
}
