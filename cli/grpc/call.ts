import { abortError, deadlineError } from "../../services/kit/deadlines.ts";
import { type CtlError, isCtlError } from "../../services/kit/errors.ts";
import { type Http2Connection, STREAM_WINDOW } from "../http2/connection.ts";
import { errorCode } from "../http2/frames.ts";
import type { Field } from "../http2/hpack.ts";
import type { Http2Stream } from "../http2/stream.ts";
import { frameMessage, MessageReader } from "./messages.ts";
import { errorOfFields, errorOfStream } from "./status.ts";

/** The part of ts-proto's method descriptions that a client needs. */
export interface Method<Req, Res> {
  readonly path: string;
  readonly requestSerialize: (value: Req) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Res;
}

export interface CallOptions {
  /** Aborted: the call is cancelled and throws what `abortError` makes of the reason. */
  readonly signal?: AbortSignal;
  /** No deadline when left out. */
  readonly timeoutMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * One gRPC call with its two directions. Iterate it for the answers (once); leaving the iteration early cancels the
 * call. What is not read yet is bounded by the stream's window: a reader that is slow makes the daemon wait.
 */
export class Call<Req, Res> implements AsyncIterable<Res> {
  readonly #method: Method<Req, Res>;
  readonly #what: string;
  readonly #stream: Http2Stream;
  readonly #reader = new MessageReader();
  readonly #messages: Buffer[] = [];
  readonly #fields: Field[] = [];
  readonly #release: (() => void)[] = [];
  #queuedBytes = 0;
  #uncreditedBytes = 0;
  #outcome: { readonly error: CtlError | undefined } | undefined;
  #arrived = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<CtlError | undefined>();
  /** Sends stay in order although each may wait for the window. */
  #sending: Promise<void> | undefined;

  constructor(connection: Http2Connection, method: Method<Req, Res>, options: CallOptions) {
    this.#method = method;
    this.#what = `call ${method.path.split("/").at(-1) ?? method.path}`;
    this.#stream = connection.openStream(requestFields(method.path, options), {
      fields: (fields) => this.#fields.push(...fields),
      data: (bytes) => this.#receive(bytes),
      ended: () => this.#end(errorOfFields(this.#fields, this.#what)),
      failed: (error) => this.#end(errorOfStream(error, this.#what)),
    });
    this.#watch(options);
  }

  /** How the call ended: with an error, or with none. */
  get ended(): Promise<CtlError | undefined> {
    return this.#ended.promise;
  }

  /**
   * Sends one request, the last of them with `isLast`; resolves once it has left. After the call has ended it resolves
   * without sending: the answers say why.
   */
  send(request: Req, isLast = false): Promise<void> {
    return this.#enqueue(frameMessage(this.#method.requestSerialize(request)), isLast);
  }

  /** Half-close: no request follows. */
  closeSend(): Promise<void> {
    return this.#enqueue(new Uint8Array(0), true);
  }

  cancel(reason?: CtlError): void {
    if (this.#outcome !== undefined) return;
    this.#stream.cancel(errorCode.cancel);
    this.#end(reason);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Res> {
    try {
      while (true) {
        const message = this.#messages.shift();
        if (message !== undefined) {
          this.#queuedBytes -= message.length;
          this.#creditWhenLow();
          yield this.#method.responseDeserialize(message);
        } else if (this.#outcome === undefined) {
          this.#arrived = Promise.withResolvers();
          await this.#arrived.promise;
        } else if (this.#outcome.error !== undefined) {
          throw this.#outcome.error;
        } else return;
      }
    } finally {
      this.cancel();
    }
  }

  async #enqueue(bytes: Uint8Array, isLast: boolean): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
    // undefined again only after it is done, so that the next in line sees it
    const sending = this.#stream.send(bytes, isLast);
    this.#sending = sending.finally(() => {
      this.#sending = undefined;
    });
    return this.#sending;
  }

  #watch({ signal, timeoutMs }: CallOptions): void {
    if (timeoutMs !== undefined) {
      const timer = setTimeout(() => this.cancel(deadlineError(timeoutMs, this.#what)), timeoutMs);
      this.#release.push(() => clearTimeout(timer));
    }
    if (signal === undefined) return;
    const onAbort = () => this.cancel(abortError(signal, this.#what));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#release.push(() => signal.removeEventListener("abort", onAbort));
  }

  #receive(bytes: Buffer): void {
    this.#uncreditedBytes += bytes.length;
    try {
      for (const message of this.#reader.push(bytes)) {
        this.#messages.push(message);
        this.#queuedBytes += message.length;
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.cancel(errorOfStream(error, this.#what));
      return;
    }
    this.#creditWhenLow();
    this.#arrived.resolve();
  }

  /** A message that is still incomplete may be larger than the window: it never counts as unread. */
  #creditWhenLow(): void {
    if (this.#queuedBytes > STREAM_WINDOW / 2 || this.#uncreditedBytes < STREAM_WINDOW / 4) return;
    this.#stream.credit(this.#uncreditedBytes);
    this.#uncreditedBytes = 0;
  }

  #end(error: CtlError | undefined): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { error };
    this.#ended.resolve(error);
    for (const release of this.#release.splice(0)) release();
    this.#arrived.resolve();
  }
}

function requestFields(path: string, { timeoutMs, metadata = {} }: CallOptions): Field[] {
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["user-agent", "ctl"],
    ...(timeoutMs === undefined ? [] : [["grpc-timeout", `${Math.ceil(timeoutMs)}m`] as const]),
    ...Object.entries(metadata),
  ];
}

/** Whether a call failed because the connection or the process behind it went away: it may be made again. */
export function isGone(error: unknown): boolean {
  return isCtlError(error, "UNAVAILABLE");
}
