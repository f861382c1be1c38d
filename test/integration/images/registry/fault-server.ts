import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** What a test's registry was asked, in order. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface FaultServer extends AsyncDisposable {
  /** `127.0.0.1:41234` */
  readonly address: string;
  readonly url: string;
  readonly seen: readonly Seen[];
  /** How many TCP connections there were. */
  connections(): number;
}

export type Answer = (request: Seen, response: ServerResponse) => void;

/** A peer that speaks HTTP and misbehaves as its test says: no registry does on request. */
export async function faultServer(
  answer: Answer,
  tls?: { readonly key: string; readonly cert: string },
): Promise<FaultServer> {
  const seen: Seen[] = [];
  let connections = 0;
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks = await Array.fromAsync(request);
    const { method = "", url: path = "", headers } = request;
    const one: Seen = { method, path, headers, body: Buffer.concat(chunks).toString() };
    seen.push(one);
    answer(one, response);
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on("connection", () => connections++);
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    url: `${tls === undefined ? "http" : "https"}://${address}`,
    seen,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

/** A distribution error as registries send it. */
export function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: `the test says ${code}` }] }));
}
