import type { Socket } from "node:net";

/** Where a daemon serves: a unix socket's path, or a TCP host and port. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** A connected byte stream. What is written is kept until the kernel takes it, in order. */
export interface Transport {
  /** False: the kernel's buffer is full; write no more before `drained`. */
  write(bytes: Uint8Array): boolean;
  close(): void;
}

export interface TransportEvents {
  received(bytes: Uint8Array): void;
  drained(): void;
  /** Once, also after a `close` of our own. */
  closed(error: Error | undefined): void;
}

/** The part of Bun's socket interface that is used here. */
interface BunSocket {
  write(bytes: Uint8Array): number;
  end(): void;
}

interface BunHandlers {
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

declare global {
  var Bun:
    | {
        connect(
          options: ({ unix: string } | { hostname: string; port: number }) & { socket: BunHandlers },
        ): Promise<BunSocket>;
      }
    | undefined;
}

/**
 * Connects, or throws the system's error (`code` ENOENT, ECONNREFUSED, EACCES …). In Bun by its own sockets: loading
 * node:net costs 3.5 ms of the 6 that a whole command takes there (docs/decisions/0010-ctl-speaks-http2-itself.md).
 */
export function openTransport(address: Address, events: TransportEvents): Promise<Transport> {
  return globalThis.Bun === undefined ? openWithNode(address, events) : openWithBun(globalThis.Bun, address, events);
}

async function openWithBun(
  bun: NonNullable<typeof globalThis.Bun>,
  address: Address,
  events: TransportEvents,
): Promise<Transport> {
  // Bun takes what fits and leaves the rest to its caller
  let rest: Uint8Array[] = [];
  let isClosed = false;
  const closed = (error: Error | undefined) => {
    if (isClosed) return;
    isClosed = true;
    events.closed(error);
  };
  const writeRest = (socket: BunSocket): boolean => {
    for (let first = rest[0]; first !== undefined; first = rest[0]) {
      const count = Math.max(0, socket.write(first));
      if (count < first.length) {
        rest[0] = first.subarray(count);
        return false;
      }
      rest.shift();
    }
    return true;
  };
  const target = "path" in address ? { unix: address.path } : { hostname: address.host, port: address.port };
  const socket = await bun.connect({
    ...target,
    socket: {
      data: (_socket, bytes) => events.received(bytes),
      drain: (socket) => {
        if (writeRest(socket)) events.drained();
      },
      close: (_socket, error) => closed(error),
      error: (_socket, error) => closed(error),
    },
  });
  return {
    write(bytes) {
      if (isClosed) return true;
      rest.push(bytes);
      return rest.length === 1 ? writeRest(socket) : false;
    },
    close() {
      rest = [];
      socket.end();
    },
  };
}

async function openWithNode(address: Address, events: TransportEvents): Promise<Transport> {
  const { createConnection } = await import("node:net");
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection(address);
  socket.once("connect", () => resolve(socket));
  socket.once("error", reject);
  await promise;
  let failure: Error | undefined;
  socket.on("data", (bytes: Buffer) => events.received(bytes));
  socket.on("drain", () => events.drained());
  socket.on("error", (error) => {
    failure = error;
  });
  socket.on("close", () => events.closed(failure));
  return { write: (bytes) => socket.write(bytes), close: () => socket.destroy() };
}
