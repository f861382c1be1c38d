/** What makes the load, on command: reads one JSON line per command and answers with one. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import packet from "dns-packet";
import { quantile } from "../lab/measure.ts";

export type LoadCommand =
  /** A server of one byte for each connection at `port`, and of as many bytes as are read at the next one. */
  | { readonly kind: "serve"; readonly port: number }
  | { readonly kind: "connect"; readonly host: string; readonly port: number; readonly count: number }
  | { readonly kind: "receive"; readonly host: string; readonly port: number; readonly bytes: number }
  | { readonly kind: "resolve"; readonly server: string; readonly name: string; readonly forMs: number };

export interface LoadResult {
  readonly error?: string;
  /** connect: the median of a connection until its first byte. */
  readonly medianMs?: number;
  /** receive: bytes a second; resolve: answers a second. */
  readonly perSecond?: number;
}

const CHUNK = Buffer.alloc(256 * 1024);
/** Questions under way on each socket, as many as a resolver library's worth of clients. */
const SOCKETS = 8;
const WINDOW = 32;

async function main(): Promise<void> {
  process.stdout.write("{}\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const result = await run(JSON.parse(line)).catch((error: Error) => ({ error: error.message }));
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  process.exit();
}

function run(command: LoadCommand): Promise<LoadResult> {
  switch (command.kind) {
    case "serve":
      return serve(command.port);
    case "connect":
      return connectOften(command);
    case "receive":
      return receive(command);
    case "resolve":
      return resolveOften(command);
  }
}

async function serve(port: number): Promise<LoadResult> {
  const listen = (at: number, onSocket: (socket: Socket) => void) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      onSocket(socket);
    });
    server.once("error", reject);
    server.listen({ port: at, host: "0.0.0.0", backlog: 511 }, () => resolve());
    return promise;
  };
  await listen(port, (socket) => socket.end("x"));
  await listen(port + 1, (socket) => {
    const fill = () => {
      while (!socket.destroyed && socket.write(CHUNK));
    };
    socket.on("drain", fill);
    fill();
  });
  return {};
}

async function connectOften({ host, port, count }: Extract<LoadCommand, { kind: "connect" }>): Promise<LoadResult> {
  const samples: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = connect({ host, port });
    socket.once("data", () => {
      samples.push(performance.now() - before);
    });
    socket.once("close", () => resolve());
    socket.once("error", reject);
    await promise;
  }
  return { medianMs: quantile(samples, 0.5) };
}

async function receive({ host, port, bytes }: Extract<LoadCommand, { kind: "receive" }>): Promise<LoadResult> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let before = 0;
  let got = 0;
  const buffer = Buffer.alloc(CHUNK.length);
  const socket = connect({
    host,
    port: port + 1,
    onread: {
      buffer,
      callback: (count) => {
        if (got === 0) before = performance.now();
        got += count;
        if (got >= bytes) resolve(performance.now() - before);
        return got < bytes;
      },
    },
  });
  socket.once("error", reject);
  const elapsedMs = await promise;
  socket.destroy();
  return { perSecond: got / (elapsedMs / 1000) };
}

async function resolveOften({ server, name, forMs }: Extract<LoadCommand, { kind: "resolve" }>): Promise<LoadResult> {
  let answers = 0;
  let isOver = false;
  const question = packet.encode({
    type: "query",
    id: 1,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: "A", name }],
  });
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => connected(server)));
  for (const socket of sockets) {
    socket.on("message", (answer) => {
      if (answer.readUInt16BE(6) === 0) throw new Error(`no address for ${name}`);
      answers++;
      if (!isOver) socket.send(question);
    });
    for (let i = 0; i < WINDOW; i++) socket.send(question);
  }
  const before = performance.now();
  await new Promise((resolve) => setTimeout(resolve, forMs));
  isOver = true;
  const perSecond = answers / ((performance.now() - before) / 1000);
  for (const socket of sockets) socket.close();
  return { perSecond };
}

async function connected(server: string): Promise<UdpSocket> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = createSocket("udp4");
  socket.on("error", () => {}); // what is dropped is not counted
  socket.connect(53, server, () => resolve());
  await promise;
  return socket;
}

if (import.meta.main) await main();
