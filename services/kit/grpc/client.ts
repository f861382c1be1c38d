import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { SpanKind } from "@opentelemetry/api";
import { abortError } from "../deadlines.ts";
import { inSpan, type OpenSpan, openSpan, traceHeaders } from "../telemetry/trace.ts";
import { fromServiceError, isServiceError } from "./errors.ts";
import { type MethodShape, rpcAttributes } from "./handlers.ts";
import { targetOf } from "./resolver.ts";

export interface CallSettings {
  readonly signal: AbortSignal;
  /** Default 30 s for unary calls, none for streams: those end with their signal. */
  readonly timeoutMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

type RequestOf<M> = M extends { readonly requestDeserialize: (value: Buffer) => infer Req } ? Req : never;
type ResponseOf<M> = M extends { readonly responseDeserialize: (value: Buffer) => infer Res } ? Res : never;
type Input<M> = M extends { readonly requestStream: true } ? AsyncIterable<RequestOf<M>> : RequestOf<M>;
type Output<M> = M extends { readonly responseStream: true } ? AsyncIterable<ResponseOf<M>> : Promise<ResponseOf<M>>;

/** The methods of a service as functions: unary ones return a promise, streams an async iterable. */
export type ServiceClient<S> = { readonly [K in keyof S]: (request: Input<S[K]>, call: CallSettings) => Output<S[K]> };

const DEFAULT_TIMEOUT_MS = 30_000;

/** Connections to all replicas of one service; it reconnects by itself. Close it when its owner ends. */
export class Channel implements Disposable {
  readonly #client: Client;

  /**
   * @param addresses one or several of `unix:/path` and `host:port`; calls are spread over them (round robin).
   * @param idempotentMethods paths that may be sent again on UNAVAILABLE (the protos' idempotency_level says which).
   */
  constructor(addresses: readonly string[], idempotentMethods: readonly string[]) {
    this.#client = new Client(targetOf(addresses), credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify(serviceConfig(idempotentMethods)),
      // a service comes back within a few hundred ms; grpc-js would first wait a second
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.min_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 500,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.max_receive_message_length": 64 << 20,
      "grpc.default_authority": "localhost",
    });
  }

  get client(): Client {
    return this.#client;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function serviceConfig(idempotentMethods: readonly string[]): object {
  const name = idempotentMethods.map((path) => {
    const [, service, method] = path.split("/");
    return { service, method };
  });
  const retryPolicy = {
    maxAttempts: 5,
    initialBackoff: "0.05s",
    maxBackoff: "1s",
    backoffMultiplier: 2,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  const methodConfig = name.length === 0 ? [] : [{ name, waitForReady: true, retryPolicy }];
  return {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: [...methodConfig, { name: [{}], waitForReady: true }],
  };
}

/** A typed client on a channel. Errors arrive as the CtlError that the service threw. */
export function connect<S extends object>(definition: S, channel: Channel): ServiceClient<S> {
  const methods: Record<string, unknown> = {};
  for (const [name, method] of Object.entries(definition) as [string, MethodShape<unknown, unknown>][]) {
    if (!method.responseStream)
      methods[name] = (request: unknown, call: CallSettings) => unary(channel, method, request, call);
    else if (!method.requestStream)
      methods[name] = (request: unknown, call: CallSettings) => serverStream(channel, method, request, call);
    else
      methods[name] = (requests: AsyncIterable<unknown>, call: CallSettings) =>
        bidirectional(channel, method, requests, call);
  }
  return methods as ServiceClient<S>;
}

async function unary(
  channel: Channel,
  method: MethodShape<unknown, unknown>,
  request: unknown,
  call: CallSettings,
): Promise<unknown> {
  if (call.signal.aborted) throw abortError(call.signal, `call ${method.path}`);
  return inSpan(method.path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(method.path) }, async () => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const options: CallOptions = { deadline: Date.now() + (call.timeoutMs ?? DEFAULT_TIMEOUT_MS) };
    const running = channel.client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadataOf(call, traceHeaders()),
      options,
      (error, response) => (error === null ? resolve(response) : reject(failure(error, method.path, call.signal))),
    );
    const onAbort = () => running.cancel();
    call.signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      call.signal.removeEventListener("abort", onAbort);
    }
  });
}

async function* serverStream(
  channel: Channel,
  method: MethodShape<unknown, unknown>,
  request: unknown,
  call: CallSettings,
): AsyncGenerator<unknown> {
  if (call.signal.aborted) throw abortError(call.signal, `call ${method.path}`);
  const span = openSpan(method.path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(method.path) });
  const stream = channel.client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataOf(call, span.headers),
    streamOptions(call),
  );
  yield* responsesOf(stream, method.path, call, span);
}

async function* bidirectional(
  channel: Channel,
  method: MethodShape<unknown, unknown>,
  requests: AsyncIterable<unknown>,
  call: CallSettings,
): AsyncGenerator<unknown> {
  if (call.signal.aborted) throw abortError(call.signal, `call ${method.path}`);
  const span = openSpan(method.path.slice(1), { kind: SpanKind.CLIENT, attributes: rpcAttributes(method.path) });
  const stream = channel.client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    metadataOf(call, span.headers),
    streamOptions(call),
  );
  void sendAll(requests, stream).catch(() => stream.cancel());
  yield* responsesOf(stream, method.path, call, span);
}

async function sendAll(requests: AsyncIterable<unknown>, stream: ClientDuplexStream<unknown, unknown>): Promise<void> {
  for await (const request of requests) {
    if (stream.destroyed || stream.writableEnded) return;
    if (stream.write(request)) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    stream.once("drain", resolve);
    stream.once("close", resolve);
    await promise;
    stream.off("drain", resolve);
    stream.off("close", resolve);
  }
  stream.end();
}

/** Ending the iteration early cancels the call; so does the signal. */
async function* responsesOf(
  stream: ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
  path: string,
  call: CallSettings,
  span: OpenSpan,
): AsyncGenerator<unknown> {
  const onAbort = () => stream.cancel();
  call.signal.addEventListener("abort", onAbort, { once: true });
  let ended = false;
  let failed: unknown;
  try {
    for await (const response of stream) yield response;
    ended = true;
  } catch (error) {
    ended = true;
    failed = isServiceError(error) ? failure(error, path, call.signal) : error;
    throw failed;
  } finally {
    span.end(failed);
    call.signal.removeEventListener("abort", onAbort);
    stream.on("error", () => {}); // the cancellation itself
    if (!ended) stream.cancel();
  }
}

function failure(error: ServiceError, path: string, signal: AbortSignal): unknown {
  if (signal.aborted) return abortError(signal, `call ${path}`);
  return fromServiceError(error, `call ${path.split("/").at(-1) ?? path}`);
}

function streamOptions(call: CallSettings): CallOptions {
  return call.timeoutMs === undefined ? {} : { deadline: Date.now() + call.timeoutMs };
}

function metadataOf(call: CallSettings, trace: Record<string, string>): Metadata {
  const metadata = new Metadata({ waitForReady: true });
  for (const [key, value] of Object.entries({ ...trace, ...call.metadata })) metadata.set(key, value);
  return metadata;
}
