import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerDuplexStream,
  ServerWritableStream,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type Span, SpanKind } from "@opentelemetry/api";
import { asCtlError, CtlError, grpcStatusOf } from "../errors.ts";
import { attribute } from "../telemetry/attributes.ts";
import type { Logger } from "../telemetry/log.ts";
import { continueTrace, inSpan } from "../telemetry/trace.ts";
import { toServiceError } from "./errors.ts";

/** What a handler gets beside its request. The signal aborts when the caller goes away or its deadline passes. */
export interface CallContext {
  readonly signal: AbortSignal;
  /** Who called, as the gateway found out by SO_PEERCRED. */
  readonly actor: string;
  /** The caller's idempotency key; empty when it gave none. */
  readonly operation: string;
}

/** A method as ts-proto writes it for grpc-js. */
export interface MethodShape<Req, Res> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Req) => Buffer;
  readonly requestDeserialize: (value: Buffer) => Req;
  readonly responseSerialize: (value: Res) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Res;
}

type RequestOf<M> = M extends { readonly requestDeserialize: (value: Buffer) => infer Req } ? Req : never;
/** By what the method serializes: a server may have a way of its own to make the same bytes. */
type ResponseOf<M> = M extends { readonly responseSerialize: (value: infer Res) => Buffer } ? Res : never;
type Input<M> = M extends { readonly requestStream: true } ? AsyncIterable<RequestOf<M>> : RequestOf<M>;
type Output<M> = M extends { readonly responseStream: true } ? AsyncIterable<ResponseOf<M>> : Promise<ResponseOf<M>>;

/** One function per method: a unary one returns a promise, a streaming one is an async generator. */
export type Handlers<S> = { readonly [K in keyof S]: (request: Input<S[K]>, call: CallContext) => Output<S[K]> };

/**
 * Adapts handlers to grpc-js: one span per call (its parent is the caller's), errors mapped and logged once, a signal
 * for the caller's cancellation, back-pressure on what is written.
 */
export function implement<S extends object>(
  definition: S,
  handlers: Handlers<S>,
  log: Logger,
): UntypedServiceImplementation {
  const adapted: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(definition) as [string, MethodShape<unknown, unknown>][]) {
    const handler = (handlers as Record<string, AnyHandler>)[name];
    if (handler !== undefined) adapted[name] = adapt(method, handler, log);
  }
  return adapted;
}

type AnyHandler = (request: unknown, call: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

function adapt(method: MethodShape<unknown, unknown>, handler: AnyHandler, log: Logger): UntypedHandleCall {
  if (!method.requestStream && !method.responseStream) return unary(method, handler, log);
  if (!method.requestStream) return serverStream(method, handler, log);
  return bidirectional(method, handler, log);
}

function unary(
  method: MethodShape<unknown, unknown>,
  handler: AnyHandler,
  log: Logger,
): handleUnaryCall<unknown, unknown> {
  return (call, answer) => {
    served(method, call, log, async (context) => handler(call.request, context) as Promise<unknown>).then(
      (response) => answer(null, response),
      (error: CtlError) => answer(toServiceError(error)),
    );
  };
}

function serverStream(
  method: MethodShape<unknown, unknown>,
  handler: AnyHandler,
  log: Logger,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    served(method, call, log, (context) =>
      writeAll(handler(call.request, context) as AsyncIterable<unknown>, call, context.signal),
    ).then(
      () => call.end(),
      (error: CtlError) => call.emit("error", toServiceError(error)),
    );
  };
}

function bidirectional(
  method: MethodShape<unknown, unknown>,
  handler: AnyHandler,
  log: Logger,
): handleBidiStreamingCall<unknown, unknown> {
  return (call) => {
    served(method, call, log, (context) =>
      writeAll(handler(requestsOf(call, context.signal), context) as AsyncIterable<unknown>, call, context.signal),
    ).then(
      () => call.end(),
      (error: CtlError) => call.emit("error", toServiceError(error)),
    );
  };
}

/** The client's messages until it half-closes; a client that goes away ends them too: the signal tells the two apart. */
async function* requestsOf(call: ServerDuplexStream<unknown, unknown>, signal: AbortSignal): AsyncGenerator<unknown> {
  try {
    // a plain iteration destroys the whole call at the client's half-close, and later answers with it (tried)
    yield* call.iterator({ destroyOnReturn: false });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function writeAll(
  responses: AsyncIterable<unknown>,
  call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
  signal: AbortSignal,
): Promise<void> {
  for await (const response of responses) {
    if (signal.aborted) return;
    if (!call.write(response)) await drained(call, signal);
  }
}

async function drained(call: NodeJS.EventEmitter, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = () => resolve();
  call.once("drain", done);
  signal.addEventListener("abort", done, { once: true });
  await promise;
  call.off("drain", done);
  signal.removeEventListener("abort", done);
}

/** What every kind of call has. */
type AnyCall = NodeJS.EventEmitter & { readonly metadata: Metadata };

async function served<T>(
  method: MethodShape<unknown, unknown>,
  call: AnyCall,
  log: Logger,
  work: (context: CallContext) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  call.on("cancelled", () => controller.abort(callerGone(method.path)));
  const context = {
    signal: controller.signal,
    actor: metadataText(call.metadata, "ctl-actor"),
    operation: metadataText(call.metadata, "ctl-operation"),
  };
  return continueTrace(traceFrom(call.metadata), () =>
    inSpan(method.path.slice(1), { kind: SpanKind.SERVER, attributes: rpcAttributes(method.path) }, async (span) => {
      try {
        return await work(context);
      } catch (error) {
        throw reported(error, method.path, span, log);
      }
    }),
  );
}

/** Logs what is our bug; what is the caller's mistake is the caller's to tell. */
function reported(error: unknown, path: string, span: Span, log: Logger): CtlError {
  const known = asCtlError(error, `serve ${path}`);
  span.setAttribute(attribute.rpcStatus, grpcStatusOf(known.code));
  const fields = { [attribute.rpcMethod]: path, err: known };
  if (known.code === "INTERNAL") log.error(fields, "call failed");
  else log.debug(fields, "call refused");
  return known;
}

function callerGone(path: string): CtlError {
  return new CtlError("CANCELLED", { reason: "CANCELLED", what: `serve ${path}`, why: "the caller went away" });
}

export function rpcAttributes(path: string): Record<string, string> {
  const [, service = "", method = ""] = path.split("/");
  return { [attribute.rpcSystem]: "grpc", [attribute.rpcService]: service, [attribute.rpcMethod]: method };
}

function traceFrom(metadata: Metadata): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const key of ["traceparent", "tracestate"]) {
    const value = metadataText(metadata, key);
    if (value !== "") headers[key] = value;
  }
  return headers;
}

export function metadataText(metadata: Metadata, key: string): string {
  const value = metadata.get(key)[0];
  return typeof value === "string" ? value : "";
}
