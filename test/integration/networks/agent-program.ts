/**
 * What a program in a container does on the network, on command: runs inside a sandbox (nsenter --net) and reads one JSON
 * line per command. Its servers answer with the address that the caller came from, which is what tests look at.
 */
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

export type AgentCommand =
  | { readonly kind: "serve"; readonly protocol: "tcp" | "udp"; readonly port: number; readonly host?: string }
  | {
      readonly kind: "call";
      readonly protocol: "tcp" | "udp";
      readonly host: string;
      readonly port: number;
      readonly timeoutMs: number;
      readonly localPort?: number;
    };

/** `serving`, the address that the server saw, an errno's name, or `silence` after the timeout. */
export type AgentAnswer = string;

async function main(): Promise<void> {
  process.stdout.write("ready\n");
  for await (const line of createInterface({ input: process.stdin })) {
    const answer = await run(JSON.parse(line)).catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
    process.stdout.write(`${answer}\n`);
  }
  process.exit();
}

function run(command: AgentCommand): Promise<AgentAnswer> {
  if (command.kind === "serve") return command.protocol === "tcp" ? serveTcp(command) : serveUdp(command);
  return command.protocol === "tcp" ? callTcp(command) : callUdp(command);
}

type Serve = Extract<AgentCommand, { kind: "serve" }>;
type Call = Extract<AgentCommand, { kind: "call" }>;

async function serveTcp({ port, host }: Serve): Promise<AgentAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(plain(socket.remoteAddress));
  });
  server.on("error", reject);
  server.listen(port, host ?? "0.0.0.0", () => resolve("serving"));
  return promise;
}

async function serveUdp({ port, host }: Serve): Promise<AgentAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
  const server = createSocket(host?.includes(":") === true ? "udp6" : "udp4");
  server.on("error", reject);
  server.on("message", (_message, from) => server.send(plain(from.address), from.port, from.address));
  server.bind(port, host ?? "0.0.0.0", () => resolve("serving"));
  return promise;
}

async function callTcp({ host, port, timeoutMs }: Call): Promise<AgentAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
  const socket = connect({ host, port });
  let seen = "";
  const timer = setTimeout(() => resolve("silence"), timeoutMs);
  socket.on("data", (data) => {
    seen += data.toString();
  });
  socket.on("end", () => resolve(seen));
  socket.on("error", reject);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

async function callUdp({ host, port, timeoutMs, localPort }: Call): Promise<AgentAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AgentAnswer>();
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const timer = setTimeout(() => resolve("silence"), timeoutMs);
  socket.on("error", reject);
  socket.on("message", (message) => resolve(message.toString()));
  socket.bind(localPort ?? 0, () => socket.send("?", port, host));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function plain(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:/, "");
}

// mocha imports every file below test/
if (import.meta.main) await main();
