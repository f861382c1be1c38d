import {
  type Attributes,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { CtlError } from "../errors.ts";
import { attribute } from "./attributes.ts";

const TRACER = "ctl";
/** What work gets that nobody records. */
const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/** The API's global tracer is this process's, and so is whether anybody has given it one. */
let isRecording = false;

/** From now on spans are made: call it when the SDK has started. */
export function beginRecording(): void {
  isRecording = true;
}

export interface SpanOptions {
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
}

/**
 * Runs `work` inside a span called `noun.verb`; a thrown error is recorded on it and thrown on.
 * With nothing configured this costs a function call: the API's no-op tracer still makes a span and a context each time,
 * of which a run has a hundred.
 */
export function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  if (!isRecording) return unrecorded(work);
  const settings = { kind: options.kind ?? SpanKind.INTERNAL, attributes: options.attributes ?? {} };
  return trace.getTracer(TRACER).startActiveSpan(name, settings, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      recordError(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Also what throws at once is a rejection. */
async function unrecorded<T>(work: (span: Span) => Promise<T>): Promise<T> {
  return work(NO_SPAN);
}

/** A span for work that ends elsewhere than where it began (a stream). End it exactly once, with the error if there is one. */
export interface OpenSpan {
  /** W3C headers that make the other side's spans children of this one. */
  readonly headers: Record<string, string>;
  end(error?: unknown): void;
}

export function openSpan(name: string, options: SpanOptions): OpenSpan {
  const settings = { kind: options.kind ?? SpanKind.INTERNAL, attributes: options.attributes ?? {} };
  const span = trace.getTracer(TRACER).startSpan(name, settings);
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), headers);
  return {
    headers,
    end: (error) => {
      if (error !== undefined) recordError(span, error);
      span.end();
    },
  };
}

export function recordError(span: Span, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  span.recordException(error instanceof Error ? error : message);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  if (!(error instanceof CtlError)) return;
  span.setAttributes({ [attribute.errorCode]: error.code, [attribute.errorReason]: error.reason });
}

/** The active trace as W3C headers (`traceparent`, `tracestate`); empty when nothing is recorded. */
export function traceHeaders(): Record<string, string> {
  const carrier: Record<string, string> = {};
  if (isRecording) propagation.inject(context.active(), carrier);
  return carrier;
}

/** Runs `work` as a part of the trace that the headers name. */
export function continueTrace<T>(headers: Record<string, string>, work: () => T): T {
  return isRecording ? context.with(propagation.extract(context.active(), headers), work) : work();
}

/** For log lines: ids of the active span, or nothing. */
export function activeTraceIds(): { trace_id?: string; span_id?: string } {
  const span = isRecording ? trace.getActiveSpan()?.spanContext() : undefined;
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}
