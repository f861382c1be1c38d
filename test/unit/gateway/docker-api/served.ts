import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect as connectTo, type Socket } from "node:net";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { pino } from "pino";
import { ContainersService } from "#proto/ctl/containers/v1/containers.ts";
import { GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { ImagesService } from "#proto/ctl/images/v1/images.ts";
import { LayersService } from "#proto/ctl/images/v1/layers.ts";
import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { createDockerApi } from "../../../../gateway/docker-api/server.ts";
import { listenForBoth } from "../../../../gateway/listen.ts";
import { Channel, connect } from "../../../../services/kit/grpc/client.ts";
import { type Handlers, implement } from "../../../../services/kit/grpc/handlers.ts";
import { temporaryDirectory } from "../../../lab/temporary-directory.ts";

/** What the services answer in one test; what is not given is UNIMPLEMENTED. */
export interface Answers {
  readonly containers?: Partial<Handlers<typeof ContainersService>>;
  readonly images?: Partial<Handlers<typeof ImagesService>>;
  readonly layers?: Partial<Handlers<typeof LayersService>>;
  readonly networks?: Partial<Handlers<typeof NetworksService>>;
  readonly volumes?: Partial<Handlers<typeof VolumesService>>;
  readonly gateway?: Partial<Handlers<typeof GatewayService>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. */
  readonly json: unknown;
}

export interface Served extends AsyncDisposable {
  readonly socket: string;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A bare connection, and all that came on it so far. */
  open(): Promise<Connection>;
}

export interface Connection extends AsyncDisposable {
  readonly socket: Socket;
  received(): Buffer;
  readonly closed: Promise<void>;
}

const log = pino({ level: "silent" });

/** The Docker API on a unix socket, with services behind it that really are gRPC servers. */
export async function served(answers: Answers): Promise<Served> {
  await using undo = new AsyncDisposableStack();
  const { path } = undo.use(await temporaryDirectory("docker"));
  const backend = join(path, "services.sock");
  undo.use(await serveAnswers(answers, backend));
  const channel = undo.use(new Channel([`unix:${backend}`], []));
  const api = createDockerApi({
    containers: connect(ContainersService, channel),
    images: connect(ImagesService, channel),
    layers: connect(LayersService, channel),
    networks: connect(NetworksService, channel),
    volumes: connect(VolumesService, channel),
    engine: connect(GatewayService, channel),
    log,
    version: "1.2.3",
  });
  const socket = join(path, "ctl.sock");
  const listener = await listenForBoth(socket, "root", {
    grpc: (connection) => connection.destroy(),
    http: (connection) => api.handleConnection(connection, "uid 0"),
  });
  undo.defer(async () => {
    listener.server.close();
    await api[Symbol.asyncDispose]();
  });
  const owned = undo.move();
  return {
    socket,
    call: (method, url, body, headers) => call(socket, method, url, body, headers),
    open: () => open(socket),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function serveAnswers(answers: Answers, path: string): Promise<AsyncDisposable> {
  const server = new Server();
  server.addService(ContainersService, part(ContainersService, answers.containers));
  server.addService(ImagesService, part(ImagesService, answers.images));
  server.addService(LayersService, part(LayersService, answers.layers));
  server.addService(NetworksService, part(NetworksService, answers.networks));
  server.addService(VolumesService, part(VolumesService, answers.volumes));
  server.addService(GatewayService, part(GatewayService, answers.gateway));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
    error === null ? resolve() : reject(error),
  );
  await promise;
  return { [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

function part<S extends object>(definition: S, handlers: Partial<Handlers<S>> = {}) {
  return implement(definition, handlers as Handlers<S>, log);
}

async function call(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const request = httpRequest({ socketPath, method, path, headers: { ...type, ...headers }, agent: false });
  request.on("error", reject);
  request.on("response", async (response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk);
    } catch (error) {
      reject(error);
      return;
    }
    const text = Buffer.concat(chunks).toString("utf8");
    resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: jsonOf(text) });
  });
  request.end(body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body));
  return promise;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function open(path: string): Promise<Connection> {
  const socket = connectTo({ path, allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.on("error", () => {});
  const closed = Promise.withResolvers<void>();
  socket.on("end", () => closed.resolve());
  socket.on("close", () => closed.resolve());
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("connect", resolve);
  await promise;
  return {
    socket,
    received: () => Buffer.concat(chunks),
    closed: closed.promise,
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
    },
  };
}
