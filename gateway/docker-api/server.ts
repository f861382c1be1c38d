import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { asCtlError } from "../../services/kit/errors.ts";
import type { Application } from "./app.ts";
import type { DockerApiDeps } from "./deps.ts";
import { isHijack, type UpgradedRequest, upgradeOf } from "./hijack.ts";

export interface DockerApi extends AsyncDisposable {
  /**
   * Takes a connection over; its first bytes may have been unshifted back.
   * @param actor who calls, as the peer's credentials say; travels on as `ctl-actor`.
   */
  handleConnection(socket: Socket, actor?: string): void;
}

const CLOSE_GRACE_MS = 1_000;

/**
 * Docker's Engine API for connections that somebody else accepted. The framework and the routes are loaded with the first
 * of them: 60 ms and 16 MB that a gateway which only speaks gRPC never spends.
 */
export function createDockerApi(deps: DockerApiDeps): DockerApi {
  const sockets = new Set<Socket>();
  const actors = new WeakMap<Socket, string>();
  let loading: Promise<Serving> | undefined;

  const handleConnection = (socket: Socket, actor = ""): void => {
    // a client that has sent all of its input goes on reading the output
    socket.allowHalfOpen = true;
    sockets.add(socket);
    actors.set(socket, actor);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    loading ??= load(deps, (connection) => actors.get(connection) ?? "");
    loading.then(
      ({ server }) => {
        if (!socket.destroyed) server.emit("connection", socket);
      },
      (error: unknown) => {
        loading = undefined;
        deps.log.error({ err: asCtlError(error, "load the Docker API") }, "Docker API not loaded");
        socket.destroy();
      },
    );
  };
  return { handleConnection, [Symbol.asyncDispose]: () => close(loading, sockets) };
}

interface Serving {
  readonly server: Server;
  readonly application: Application;
}

async function load(deps: DockerApiDeps, actorOf: (socket: Socket) => string): Promise<Serving> {
  const { createApplication } = await import("./app.ts");
  let server: Server | undefined;
  const application = await createApplication(deps, actorOf, (listener) => {
    server = createHttpServer(listener);
    return server;
  });
  if (server === undefined) throw new Error("fastify made no server");
  const serving = server;
  serving.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) =>
    serveUpgrade(application, request, stream, head),
  );
  // Node starts its clock for slow requests when a server listens; ours is handed its connections
  serving.emit("listening");
  return { server: serving, application };
}

function createHttpServer(listener: RequestListener): Server {
  return createServer(
    {
      maxHeaderSize: 64 << 10, // X-Registry-Config carries the credentials of every registry
      headersTimeout: 20_000,
      requestTimeout: 0, // an upload or an attachment's input takes as long as it takes; other bodies are bounded where they are read
      keepAliveTimeout: 300_000,
      connectionsCheckingInterval: 5_000,
      // an `Upgrade: h2c` offer, as Java's client makes with every request, is not taken
      shouldUpgradeCallback: isHijack,
    },
    listener,
  );
}

/** A request for a raw stream goes through the same routes, so that it is refused like any other. */
function serveUpgrade(application: Application, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const response = new ServerResponse(request);
  stream.on("error", () => stream.destroy());
  if (head.length > 0) stream.unshift(head);
  upgradeOf.set(request, { stream, response } satisfies UpgradedRequest);
  // ServerResponse wants a net.Socket by its type and needs no more than a stream
  response.assignSocket(stream as Socket);
  response.shouldKeepAlive = false;
  response.on("finish", () => stream.end());
  application.serve(request, response);
}

async function close(loading: Promise<Serving> | undefined, sockets: Set<Socket>): Promise<void> {
  const serving = await loading?.catch(() => undefined);
  serving?.server.close();
  serving?.application.stop();
  if (sockets.size > 0) await allClosed(sockets, CLOSE_GRACE_MS);
  for (const socket of sockets) socket.destroy();
  await serving?.application.close();
}

async function allClosed(sockets: Set<Socket>, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  for (const socket of sockets) {
    socket.on("close", () => {
      if (sockets.size === 0) resolve();
    });
  }
  await promise;
  clearTimeout(timer);
}
