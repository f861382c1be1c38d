import type {
  ClientDuplexStream,
  Metadata,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  ServiceError,
  sendUnaryData,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { SpanKind } from "@opentelemetry/api";
import { ContainersService } from "#proto/ctl/containers/v1/containers.ts";
import { ImagesService } from "#proto/ctl/images/v1/images.ts";
import { LayersService } from "#proto/ctl/images/v1/layers.ts";
import { NetworksService } from "#proto/ctl/networks/v1/networks.ts";
import { VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import type { Channel } from "../services/kit/grpc/client.ts";
import { metadataText, rpcAttributes } from "../services/kit/grpc/handlers.ts";
import type { BoundService } from "../services/kit/grpc/server.ts";
import { continueTrace, type OpenSpan, openSpan } from "../services/kit/telemetry/trace.ts";
import type { Connections } from "./clients.ts";

interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** What a client may call on a service itself. Steps of operations (Acquire, StartContainer …) are not for clients. */
const ALLOWED = {
  images: pick(
    ImagesService,
    "pull",
    "listImages",
    "inspectImage",
    "tagImage",
    "removeImage",
    "pruneImages",
    "inspectRemote",
    "checkLogin",
  ),
  layers: pick(LayersService, "usage"),
  networks: pick(
    NetworksService,
    ...(["createNetwork", "listNetworks", "inspectNetwork", "removeNetwork", "pruneNetworks"] as const),
    ...(["listRules", "traceConnection"] as const),
  ),
  volumes: pick(
    VolumesService,
    ...(["createVolume", "listVolumes", "inspectVolume", "removeVolume", "pruneVolumes"] as const),
    ...(["cloneVolume", "restoreVolume"] as const),
  ),
  containers: pick(
    ContainersService,
    ...(["stopContainer", "killContainer", "updateContainer", "pauseContainer", "unpauseContainer"] as const),
    ...([
      "waitContainer",
      "listContainers",
      "inspectContainer",
      "topContainer",
      "watchStats",
      "readLogs",
      "attach",
    ] as const),
    ...(["statPath", "readArchive", "writeArchive", "listChanges", "exportContainer"] as const),
    ...(["createExec", "exec", "inspectExec", "listExecs", "signalExec", "getRuntimeInfo"] as const),
    ...(["resizeContainer", "resizeExec"] as const),
  ),
};

function pick<S extends object>(service: S, ...names: (keyof S & string)[]): Record<string, Method> {
  return Object.fromEntries(names.map((name) => [name, service[name] as Method]));
}

/** The services' allowed methods, passed on undecoded: half-close, cancellation and back-pressure included. */
export function passThrough({ channels }: Connections): BoundService[] {
  return [
    forward(ALLOWED.images, channels.images),
    forward(ALLOWED.layers, channels.images),
    forward(ALLOWED.networks, channels.networks),
    forward(ALLOWED.volumes, channels.volumes),
    forward(ALLOWED.containers, channels.containers),
  ];
}

function forward(methods: Record<string, Method>, channel: Channel): BoundService {
  const definition: Record<string, unknown> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const [name, { path, requestStream, responseStream }] of Object.entries(methods)) {
    definition[name] = { path, requestStream, responseStream, ...UNDECODED };
    implementation[name] = handlerOf({ path, requestStream, responseStream }, channel);
  }
  return { definition: definition as ServiceDefinition, implementation };
}

const same = (bytes: Buffer): Buffer => bytes;
const UNDECODED = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

function handlerOf(method: Method, channel: Channel): UntypedHandleCall {
  if (!method.responseStream) {
    return (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
      forwardUnary(method.path, call, answer, channel);
  }
  if (!method.requestStream) {
    return (call: ServerWritableStream<Buffer, Buffer>) => forwardServerStream(method.path, call, channel);
  }
  return (call: ServerDuplexStream<Buffer, Buffer>) => forwardBidirectional(method.path, call, channel);
}

function forwardUnary(
  path: string,
  call: ServerUnaryCall<Buffer, Buffer>,
  answer: sendUnaryData<Buffer>,
  channel: Channel,
): void {
  const span = hopSpan(path, call.metadata);
  const options = { deadline: call.getDeadline() };
  const metadata = onward(call, span);
  const out = channel.client.makeUnaryRequest(path, same, same, call.request, metadata, options, (error, response) => {
    span.end(error ?? undefined);
    answer(error, response);
  });
  call.on("cancelled", () => out.cancel());
}

function forwardServerStream(path: string, call: ServerWritableStream<Buffer, Buffer>, channel: Channel): void {
  const span = hopSpan(path, call.metadata);
  const options = { deadline: call.getDeadline() };
  const out = channel.client.makeServerStreamRequest(path, same, same, call.request, onward(call, span), options);
  pipeResponses(out, call, span);
  call.on("cancelled", () => out.cancel());
}

function forwardBidirectional(path: string, call: ServerDuplexStream<Buffer, Buffer>, channel: Channel): void {
  const span = hopSpan(path, call.metadata);
  const options = { deadline: call.getDeadline() };
  const out = channel.client.makeBidiStreamRequest(path, same, same, onward(call, span), options);
  pipeResponses(out, call, span);
  call.on("cancelled", () => out.cancel());
  pipeRequests(call, out);
}

/** The end of the client's messages is passed on as a half-close. */
function pipeRequests(call: ServerDuplexStream<Buffer, Buffer>, out: ClientDuplexStream<Buffer, Buffer>): void {
  call.on("data", (bytes: Buffer) => {
    if (out.write(bytes)) return;
    call.pause();
    out.once("drain", () => call.resume());
  });
  call.on("end", () => out.end());
}

/** By hand, not `pipe`: the stream's error must become the call's status, with its details. */
function pipeResponses(
  out: NodeJS.ReadableStream,
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  span: OpenSpan,
): void {
  out.on("data", (bytes: Buffer) => {
    if (call.write(bytes)) return;
    out.pause();
    call.once("drain", () => out.resume());
  });
  let failed = false;
  out.on("error", (error: ServiceError) => {
    if (failed) return;
    failed = true;
    span.end(error);
    call.emit("error", { code: error.code, details: error.details, metadata: error.metadata });
  });
  out.on("end", () => {
    if (failed) return;
    span.end();
    call.end();
  });
}

type AnyCall =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;

function hopSpan(path: string, metadata: Metadata): OpenSpan {
  const headers: Record<string, string> = {};
  for (const key of ["traceparent", "tracestate"]) {
    const value = metadataText(metadata, key);
    if (value !== "") headers[key] = value;
  }
  return continueTrace(headers, () =>
    openSpan(path.slice(1), { kind: SpanKind.SERVER, attributes: rpcAttributes(path) }),
  );
}

/** Who calls is what the kernel says (access/peer.ts), never what the client's own metadata says. */
function onward(call: AnyCall, span: OpenSpan): Metadata {
  const copy = call.metadata.clone();
  copy.set("ctl-actor", call.getPeer());
  copy.setOptions({ waitForReady: true });
  for (const [key, value] of Object.entries(span.headers)) copy.set(key, value);
  return copy;
}
