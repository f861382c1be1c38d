import { randomBytes } from "node:crypto";
import { CtlError } from "../../services/kit/errors.ts";
import { attribute } from "../../services/kit/telemetry/attributes.ts";
import type { Method } from "../grpc/call.ts";
import { Channel } from "../grpc/channel.ts";
import { VERSION } from "../version.ts";
import { encodeTraces, type Span, spanKind } from "./otlp-messages.ts";
import type { CallSpan, Trace } from "./trace.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Nobody waits longer for a collector than this. */
const EXPORT_TIMEOUT_MS = 3_000;

/** opentelemetry-proto, collector/trace/v1; the answer says nothing that is of use here. */
const EXPORT: Method<Buffer, Buffer> = {
  path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  requestSerialize: (message) => message,
  responseDeserialize: (message) => message,
};

/**
 * Begins the trace of one command, below the one that TRACEPARENT names if there is one. Written on our own gRPC
 * client: the SDK's exporter brings grpc-js, and 280 ms of start with it.
 */
export function startTrace(name: string, endpoint: string, env: Environment): Trace {
  const parent = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(env["TRACEPARENT"] ?? "");
  const traceId = parent?.[1] ?? randomBytes(16).toString("hex");
  const root = startSpan(name, traceId, parent?.[2], spanKind.internal, {});
  const spans: Span[] = [];
  return {
    startCall: (path) => startCall(path, root, spans),
    async finish(error) {
      spans.push(ended(root, error));
      try {
        await send(spans, endpoint, env);
      } catch (cause) {
        process.stderr.write(`ctl: the trace could not be sent to ${endpoint}: ${messageOf(cause)}\n`);
      }
    },
  };
}

function startCall(path: string, parent: OpenSpan, spans: Span[]): CallSpan {
  const [, service = "", method = ""] = path.split("/");
  const span = startSpan(path.slice(1), parent.traceId, parent.spanId, spanKind.client, {
    [attribute.rpcSystem]: "grpc",
    [attribute.rpcService]: service,
    [attribute.rpcMethod]: method,
  });
  let isOpen = true;
  return {
    headers: { traceparent: `00-${span.traceId}-${span.spanId}-01` },
    end(error) {
      if (isOpen) spans.push(ended(span, error));
      isOpen = false;
    },
  };
}

type OpenSpan = Omit<Span, "endNs" | "error">;

function startSpan(
  name: string,
  traceId: string,
  parentSpanId: string | undefined,
  kind: number,
  attributes: Readonly<Record<string, string>>,
): OpenSpan {
  const spanId = randomBytes(8).toString("hex");
  return { name, traceId, spanId, parentSpanId, kind, attributes, startNs: nowNs() };
}

function ended(span: OpenSpan, error: unknown): Span {
  const facts =
    error instanceof CtlError ? { [attribute.errorCode]: error.code, [attribute.errorReason]: error.reason } : {};
  return {
    ...span,
    attributes: { ...span.attributes, ...facts },
    endNs: nowNs(),
    error: error === undefined ? undefined : messageOf(error),
  };
}

/** Since 1970; the clock's steps are below a microsecond. */
function nowNs(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n;
}

async function send(spans: readonly Span[], endpoint: string, env: Environment): Promise<void> {
  const url = new URL(endpoint.includes("://") ? endpoint : `http://${endpoint}`);
  if (url.protocol !== "http:") throw new Error("only http:// endpoints are sent to");
  using channel = await Channel.open({ host: url.hostname, port: Number(url.port || 4317) });
  const resource = {
    ...pairs(env["OTEL_RESOURCE_ATTRIBUTES"]),
    "service.name": "ctl",
    "service.namespace": "ctl",
    "service.version": VERSION,
  };
  const metadata = pairs(env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] ?? env["OTEL_EXPORTER_OTLP_HEADERS"]);
  await channel.unary(EXPORT, encodeTraces(resource, "ctl", spans), { timeoutMs: EXPORT_TIMEOUT_MS, metadata });
}

/** `key=value,key=value`, values percent-encoded: how OpenTelemetry's variables hold maps. */
function pairs(text: string | undefined): Record<string, string> {
  const entries = (text ?? "").split(",").filter((pair) => pair.includes("="));
  return Object.fromEntries(
    entries.map((pair) => {
      const [key = "", value = ""] = pair.split(/=(.*)/s);
      return [key.trim().toLowerCase(), decodeURIComponent(value.trim())];
    }),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
