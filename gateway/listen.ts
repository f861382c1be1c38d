import { randomBytes } from "node:crypto";
import { chmod, chown, readFile, rename } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { CtlError } from "../services/kit/errors.ts";

/** RFC 9113, 3.4: the first bytes of every HTTP/2 connection with prior knowledge. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const FIRST_BYTES_TIMEOUT_MS = 30_000;

export interface Protocols {
  /** Connections that open with the HTTP/2 preface. */
  readonly grpc: (socket: Socket) => void;
  /** Anything else: the Docker Engine API. */
  readonly http: (socket: Socket) => void;
}

export interface Listener extends AsyncDisposable {
  readonly server: Server;
}

/**
 * Serves both protocols on one unix socket, told apart by a connection's first bytes. The socket is made under a name of
 * its own and renamed over the public one, so an upgrade has no gap and Node's unlink at close hits nobody.
 */
export async function listenForBoth(path: string, group: string, protocols: Protocols): Promise<Listener> {
  const server = createServer((socket) => tellApart(socket, protocols));
  const own = `${path}.${randomBytes(3).toString("hex")}`;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(own, resolve);
  await promise.catch((cause: unknown) => {
    throw new CtlError("UNAVAILABLE", {
      reason: "ADDRESS_REFUSED",
      what: `listen on ${path}`,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: "choose another --run",
      cause,
    });
  });
  await chmod(own, 0o660);
  const gid = await groupId(group);
  if (gid !== undefined) await chown(own, 0, gid);
  await rename(own, path);
  return { server, [Symbol.asyncDispose]: () => close(server) };
}

function tellApart(socket: Socket, protocols: Protocols): void {
  socket.on("error", () => socket.destroy()); // a client that goes away while we look
  socket.setTimeout(FIRST_BYTES_TIMEOUT_MS, () => socket.destroy());
  let seen = Buffer.alloc(0);
  const look = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const prefix = seen.subarray(0, PREFACE.length);
    const matches = PREFACE.subarray(0, prefix.length).equals(prefix);
    if (matches && prefix.length < PREFACE.length) return;
    socket.off("readable", look);
    socket.setTimeout(0);
    socket.removeAllListeners("timeout");
    socket.unshift(seen);
    if (matches) protocols.grpc(socket);
    else protocols.http(socket);
  };
  socket.on("readable", look);
}

async function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
}

async function groupId(name: string): Promise<number | undefined> {
  const groups = await readFile("/etc/group", "utf8").catch(() => "");
  for (const line of groups.split("\n")) {
    const [group, , gid] = line.split(":");
    if (group === name) return Number(gid);
  }
  return undefined;
}
