import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

/**
 * grpc.health.v1, as far as it goes: Check and Watch of the server as a whole ("") . Ours because the library for it reads
 * its proto file at each start and keeps 7 MB for two messages of one field each (measured). Wire format: request
 * { string service = 1 }, response { enum status = 1 } with UNKNOWN 0, SERVING 1, NOT_SERVING 2.
 */
export class Health {
  #isServing = false;
  readonly #watchers = new Set<ServerWritableStream<Buffer, Buffer>>();

  setServing(isServing: boolean): void {
    this.#isServing = isServing;
    for (const watcher of this.#watchers) watcher.write(this.#answer());
  }

  addTo(server: Server): void {
    const service = (name: string, responseStream: boolean) => ({
      path: `/grpc.health.v1.Health/${name}`,
      requestStream: false,
      responseStream,
      ...UNDECODED,
    });
    server.addService(
      { check: service("Check", false), watch: service("Watch", true) },
      {
        check: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
          this.#check(call.request, answer),
        watch: (call: ServerWritableStream<Buffer, Buffer>) => this.#watch(call),
      },
    );
  }

  /** Watchers would keep a drain waiting. */
  endWatchers(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  /** Anything in the request names a service, and there is none but the whole. */
  #check(request: Buffer, answer: sendUnaryData<Buffer>): void {
    if (isForWhole(request)) answer(null, this.#answer());
    else answer({ code: status.NOT_FOUND, details: "ask for the server as a whole: an empty service name" });
  }

  #watch(call: ServerWritableStream<Buffer, Buffer>): void {
    this.#watchers.add(call);
    call.on("cancelled", () => this.#watchers.delete(call));
    call.write(this.#answer());
  }

  #answer(): Buffer {
    return Buffer.from([8, this.#isServing ? 1 : 2]);
  }
}

/** Empty, or field 1 with no bytes. */
function isForWhole(request: Buffer): boolean {
  return request.length === 0 || (request.length === 2 && request[0] === 10 && request[1] === 0);
}

const same = (bytes: Buffer): Buffer => bytes;
const UNDECODED = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
