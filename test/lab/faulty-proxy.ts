import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to an answer that carries a layer. */
export type Fault =
  | { readonly kind: "none" }
  /** One byte is another one. */
  | { readonly kind: "altered" }
  /** The connection breaks behind the first bytes; as often as it is asked for. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** As a registry that goes away in the middle: the first such answer breaks, then nobody listens any more. */
  | { readonly kind: "gone"; readonly afterBytes: number };

export interface FaultyProxy extends AsyncDisposable {
  readonly address: string;
  set(fault: Fault): void;
}

/** Stands before a real registry and spoils layers' bytes on their way. */
export async function faultyProxy(registryUrl: string): Promise<FaultyProxy> {
  let fault: Fault = { kind: "none" };
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming;
    const passed = request(new URL(incoming.url ?? "/", registryUrl), { method, headers }, (answer) => {
      const type = answer.headers["content-type"] ?? "";
      const isLayer = /\/blobs\//.test(incoming.url ?? "") && type === "application/octet-stream";
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if (isLayer && method === "GET") spoil(answer, outgoing, fault, () => server.close());
      else answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (next) => {
      fault = next;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function spoil(answer: IncomingMessage, outgoing: ServerResponse, fault: Fault, stopListening: () => void): void {
  let passed = 0;
  answer.on("data", (chunk: Buffer) => {
    if (fault.kind === "altered" && passed === 0) chunk.writeUInt8((chunk.at(-1) ?? 0) ^ 1, chunk.length - 1);
    const isCut = (fault.kind === "cut" || fault.kind === "gone") && passed + chunk.length > fault.afterBytes;
    passed += chunk.length;
    if (!isCut) {
      outgoing.write(chunk);
      return;
    }
    if (fault.kind === "gone") stopListening();
    answer.destroy();
    outgoing.write(chunk.subarray(0, 1), () => outgoing.destroy());
  });
  answer.on("end", () => outgoing.end());
}
