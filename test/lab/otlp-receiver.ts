import { join } from "node:path";
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { load } from "@grpc/proto-loader";

export interface ReceivedSpan {
  /** The resource's `service.name`. */
  readonly service: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentId: string;
  /** OTLP's numbers: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  /** OTLP's numbers: 0 unset, 1 ok, 2 error. */
  readonly status: { readonly code: number; readonly message: string };
}

export interface OtlpReceiver extends AsyncDisposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  /** Everything received so far, in the order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  /** The names of the scopes that spans came under. */
  readonly scopes: ReadonlySet<string>;
}

/** A collector's trace service (OTLP over gRPC) on a free loopback port. */
export async function otlpReceiver(): Promise<OtlpReceiver> {
  const definitions = await load(join(import.meta.dirname, "proto/trace-service.proto"), {
    longs: String,
    defaults: true,
    oneofs: true,
  });
  const spans: ReceivedSpan[] = [];
  const scopes = new Set<string>();
  const server = new Server({ "grpc.max_receive_message_length": 64 << 20 });
  server.addService(definitions["opentelemetry.proto.collector.trace.v1.TraceService"] as ServiceDefinition, {
    Export: (call: ServerUnaryCall<ExportRequest, object>, answer: sendUnaryData<object>) => {
      spans.push(...call.request.resourceSpans.flatMap(spansOf));
      for (const { scopeSpans } of call.request.resourceSpans)
        for (const { scope } of scopeSpans) scopes.add(scope?.name ?? "");
      answer(null, {});
    },
  });
  const port = await bind(server);
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    scopes,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

/** A span with its children, by start time: what a test compares parentage with. */
export interface SpanTree {
  readonly span: ReceivedSpan;
  readonly children: readonly SpanTree[];
}

/** The roots of one trace. A span whose parent did not arrive is an orphan: a root that has a parentId. */
export function spanTrees(spans: readonly ReceivedSpan[], traceId: string): SpanTree[] {
  const own = spans.filter((span) => span.traceId === traceId).sort((a, b) => Number(a.startNs - b.startNs));
  const ids = new Set(own.map((span) => span.spanId));
  const treeOf = (span: ReceivedSpan): SpanTree => ({
    span,
    children: own.filter((child) => child.parentId === span.spanId).map(treeOf),
  });
  return own.filter((span) => !ids.has(span.parentId)).map(treeOf);
}

/** The trees as indented lines `service name`: what a failed assertion shows best. */
export function drawTrees(trees: readonly SpanTree[], indent = ""): string {
  return trees
    .map(({ span, children }) => `${indent}${span.service} ${span.name}\n${drawTrees(children, `${indent}  `)}`)
    .join("");
}

async function bind(server: Server): Promise<number> {
  const bound = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
    error === null ? bound.resolve(port) : bound.reject(error),
  );
  return await bound.promise;
}

interface ExportRequest {
  readonly resourceSpans: readonly ResourceSpans[];
}

interface ResourceSpans {
  readonly resource?: { readonly attributes: readonly KeyValue[] };
  readonly scopeSpans: readonly { readonly scope?: { readonly name: string }; readonly spans: readonly RawSpan[] }[];
}

interface RawSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly KeyValue[] }[];
  readonly status?: { readonly code: number; readonly message: string };
}

interface KeyValue {
  readonly key: string;
  readonly value?: AnyValue;
}

type AnyValue = { readonly value?: string } & Readonly<Record<string, unknown>>;

function spansOf({ resource, scopeSpans }: ResourceSpans): ReceivedSpan[] {
  const service = String(attributesOf(resource?.attributes ?? [])["service.name"] ?? "");
  return scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(service, span)));
}

function spanOf(service: string, span: RawSpan): ReceivedSpan {
  return {
    service,
    name: span.name,
    traceId: span.traceId.toString("hex"),
    spanId: span.spanId.toString("hex"),
    parentId: span.parentSpanId.toString("hex"),
    kind: span.kind,
    startNs: BigInt(span.startTimeUnixNano),
    endNs: BigInt(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
    status: { code: span.status?.code ?? 0, message: span.status?.message ?? "" },
  };
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plainValue(value)]));
}

/** proto-loader's oneof: `value` names the member that is set. int64 comes as text: attributes of ours are small. */
function plainValue(any: AnyValue | undefined): unknown {
  const member = any?.value;
  if (any === undefined || member === undefined) return undefined;
  const value = any[member];
  if (member === "intValue") return Number(value);
  if (member === "arrayValue") return (value as { values: AnyValue[] }).values.map(plainValue);
  return value;
}
