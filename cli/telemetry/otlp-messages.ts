import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** opentelemetry-proto, trace/v1, Span.SpanKind. */
export const spanKind = { internal: 1, client: 3 } as const;

const STATUS_ERROR = 2;

export interface Span {
  /** Hexadecimal, as trace context has them. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, string>>;
  /** What it failed with. */
  readonly error: string | undefined;
}

/**
 * An ExportTraceServiceRequest (opentelemetry-proto 1.x; the numbers are its field numbers). By hand: the contract's
 * code generator sees our own protos only.
 */
export function encodeTraces(
  resource: Readonly<Record<string, string>>,
  scopeName: string,
  spans: readonly Span[],
): Buffer {
  const writer = new BinaryWriter();
  nested(writer, 1, (resourceSpans) => {
    nested(resourceSpans, 1, (fields) => writeAttributes(fields, 1, resource));
    nested(resourceSpans, 2, (scopeSpans) => {
      nested(scopeSpans, 1, (scope) => scope.uint32(tag(1, 2)).string(scopeName));
      for (const span of spans) nested(scopeSpans, 2, (fields) => writeSpan(fields, span));
    });
  });
  return Buffer.from(writer.finish());
}

function writeSpan(writer: BinaryWriter, span: Span): void {
  writer.uint32(tag(1, 2)).bytes(Buffer.from(span.traceId, "hex"));
  writer.uint32(tag(2, 2)).bytes(Buffer.from(span.spanId, "hex"));
  if (span.parentSpanId !== undefined) writer.uint32(tag(4, 2)).bytes(Buffer.from(span.parentSpanId, "hex"));
  writer.uint32(tag(5, 2)).string(span.name);
  writer.uint32(tag(6, 0)).int32(span.kind);
  writer.uint32(tag(7, 1)).fixed64(span.startNs);
  writer.uint32(tag(8, 1)).fixed64(span.endNs);
  writeAttributes(writer, 9, span.attributes);
  const { error } = span;
  if (error === undefined) return;
  nested(writer, 15, (status) => {
    status.uint32(tag(2, 2)).string(error);
    status.uint32(tag(3, 0)).int32(STATUS_ERROR);
  });
}

/** KeyValue { key = 1, AnyValue { string_value = 1 } = 2 } */
function writeAttributes(writer: BinaryWriter, field: number, attributes: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(attributes)) {
    nested(writer, field, (pair) => {
      pair.uint32(tag(1, 2)).string(key);
      nested(pair, 2, (any) => any.uint32(tag(1, 2)).string(value));
    });
  }
}

function nested(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.uint32(tag(field, 2)).fork();
  write(writer);
  writer.join();
}

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
