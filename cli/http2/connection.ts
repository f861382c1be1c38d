import {
  contentOf,
  decodeSettings,
  encodeFrame,
  encodeSettings,
  encodeUint32,
  errorCode,
  type Frame,
  FrameReader,
  frameFlag,
  frameType,
  setting,
} from "./frames.ts";
import { encodeFields, type Field, HpackDecoder } from "./hpack.ts";
import { Http2Stream, StreamError, type StreamEvents, type StreamWires } from "./stream.ts";
import { type Address, openTransport, type Transport } from "./transport.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const DEFAULT_WINDOW = 65_535;
const DEFAULT_FRAME_BYTES = 16_384;
const MAX_WINDOW = 2 ** 31 - 1;

/** Bytes that the daemon may send on one stream before they are consumed. */
export const STREAM_WINDOW = 1 << 20;
/** Streams bound memory; the connection's window is opened again at once, so that no stream starves another. */
const CONNECTION_WINDOW = 16 << 20;

/**
 * An HTTP/2 connection of a client with prior knowledge (RFC 9113), as much of it as gRPC needs: no push, no priority,
 * no dynamic table when sending. Ours because node:http2 costs 4 to 7 ms of start, and so that flow control is the
 * same in Bun and Node; see docs/decisions/.
 */
export class Http2Connection {
  readonly #streams = new Map<number, Http2Stream>();
  readonly #reader = new FrameReader();
  readonly #decoder = new HpackDecoder();
  #transport: Transport | undefined;
  #outgoing: Uint8Array[] = [];
  #isFlushDue = false;
  #isTransportFull = false;
  #nextId = 1;
  #sendWindow = DEFAULT_WINDOW;
  #initialSendWindow = DEFAULT_WINDOW;
  #maxFrameBytes = DEFAULT_FRAME_BYTES;
  #receivedBytes = 0;
  /** A header block under way: it goes on in CONTINUATION frames. */
  #block: { readonly stream: number; readonly isLast: boolean; readonly parts: Buffer[] } | undefined;
  #waiting = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #isGoingAway = false;

  /** Throws the system's error when nothing serves there. */
  static async open(address: Address): Promise<Http2Connection> {
    const connection = new Http2Connection();
    connection.#write(PREFACE);
    connection.#write(
      encodeSettings([
        [setting.enablePush, 0],
        [setting.initialWindowSize, STREAM_WINDOW],
      ]),
    );
    connection.#sendWindowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
    connection.#transport = await openTransport(address, {
      received: (bytes) => connection.#receive(bytes),
      drained: () => connection.#drained(),
      closed: (error) => connection.#fail(error ?? new Error("the connection was closed")),
    });
    return connection;
  }

  /** False: it was closed, or the other side takes no new streams on it. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#isGoingAway;
  }

  /** Starts a request. Fails through the events only. */
  openStream(fields: readonly Field[], events: StreamEvents): Http2Stream {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new Http2Stream(id, this.#initialSendWindow, this.#wires(), events);
    if (this.#failure !== undefined) {
      stream.fail(this.#failure);
      return stream;
    }
    this.#streams.set(id, stream);
    this.#write(encodeFrame(frameType.headers, frameFlag.endHeaders, id, encodeFields(fields)));
    return stream;
  }

  close(): void {
    this.#flush();
    this.#fail(new Error("the connection was closed"));
  }

  #wires(): StreamWires {
    return {
      take: (wanted) => {
        if (this.#isTransportFull) return 0;
        const count = Math.min(wanted, this.#sendWindow, this.#maxFrameBytes);
        this.#sendWindow -= count;
        return count;
      },
      sendData: (stream, bytes, isLast) =>
        this.#write(encodeFrame(frameType.data, isLast ? frameFlag.endStream : 0, stream, bytes)),
      sendReset: (stream, code) => this.#write(encodeFrame(frameType.rstStream, 0, stream, encodeUint32(code))),
      sendWindowUpdate: (stream, bytes) => this.#sendWindowUpdate(stream, bytes),
      changed: () => this.#waiting.promise,
      forget: (stream) => {
        this.#streams.delete(stream);
        this.#wake();
      },
    };
  }

  #sendWindowUpdate(stream: number, bytes: number): void {
    this.#write(encodeFrame(frameType.windowUpdate, 0, stream, encodeUint32(bytes)));
  }

  /** All frames of a tick leave in one write: a unary call is one system call. */
  #write(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#outgoing.push(bytes);
    if (!this.#isFlushDue) queueMicrotask(() => this.#flush());
    this.#isFlushDue = true;
    // a sender that is never held up would otherwise fill memory before the tick ends
    if (this.#outgoing.length >= 64) this.#flush();
  }

  /** Until the transport is there all is kept: the preface leaves together with the first request. */
  #flush(): void {
    this.#isFlushDue = false;
    if (this.#transport === undefined || this.#outgoing.length === 0) return;
    const bytes = this.#outgoing.length === 1 ? this.#outgoing[0] : Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    if (bytes !== undefined && !this.#transport.write(bytes)) this.#isTransportFull = true;
  }

  #drained(): void {
    this.#isTransportFull = false;
    this.#wake();
  }

  #wake(): void {
    const { resolve } = this.#waiting;
    this.#waiting = Promise.withResolvers();
    resolve();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    try {
      for (const frame of this.#reader.push(bytes, DEFAULT_FRAME_BYTES)) this.#receiveFrame(frame);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#fail(new StreamError(errorCode.protocol, `the daemon broke HTTP/2: ${error.message}`));
    }
  }

  #receiveFrame(frame: Frame): void {
    if (this.#block !== undefined && (frame.type !== frameType.continuation || frame.stream !== this.#block.stream)) {
      throw new RangeError("another frame inside a header block");
    }
    const { stream, payload } = frame;
    switch (frame.type) {
      case frameType.data:
        this.#receiveData(frame);
        break;
      case frameType.headers:
        this.#block = { stream, isLast: (frame.flags & frameFlag.endStream) !== 0, parts: [contentOf(frame)] };
        this.#receiveBlockEnd(frame);
        break;
      case frameType.continuation:
        this.#block?.parts.push(payload);
        this.#receiveBlockEnd(frame);
        break;
      case frameType.rstStream:
        this.#failStream(stream, new StreamError(payload.readUInt32BE(0), "the daemon ended the call"));
        break;
      case frameType.settings:
        this.#receiveSettings(frame);
        break;
      case frameType.ping:
        if ((frame.flags & frameFlag.ack) === 0) this.#write(encodeFrame(frameType.ping, frameFlag.ack, 0, payload));
        break;
      case frameType.goAway:
        this.#receiveGoAway(payload);
        break;
      case frameType.windowUpdate:
        this.#receiveWindowUpdate(stream, payload.readUInt32BE(0) & MAX_WINDOW);
        break;
      case frameType.pushPromise:
        throw new RangeError("a push although it is switched off");
    }
  }

  #receiveData(frame: Frame): void {
    this.#receivedBytes += frame.payload.length;
    if (this.#receivedBytes >= CONNECTION_WINDOW / 4) {
      this.#sendWindowUpdate(0, this.#receivedBytes);
      this.#receivedBytes = 0;
    }
    const content = contentOf(frame);
    const stream = this.#streams.get(frame.stream);
    // padding counts against the stream's window and is consumed at once
    if (content.length < frame.payload.length) stream?.credit(frame.payload.length - content.length);
    stream?.receiveData(content, (frame.flags & frameFlag.endStream) !== 0);
  }

  #receiveBlockEnd(frame: Frame): void {
    if ((frame.flags & frameFlag.endHeaders) === 0 || this.#block === undefined) return;
    const { stream, isLast, parts } = this.#block;
    this.#block = undefined;
    const fields = this.#decoder.decode(Buffer.concat(parts));
    this.#streams.get(stream)?.receiveFields(fields, isLast);
  }

  #receiveSettings(frame: Frame): void {
    if ((frame.flags & frameFlag.ack) !== 0) return;
    for (const [key, value] of decodeSettings(frame.payload)) {
      if (key === setting.maxFrameSize) this.#maxFrameBytes = value;
      if (key !== setting.initialWindowSize) continue;
      for (const stream of this.#streams.values()) stream.openSendWindow(value - this.#initialSendWindow);
      this.#initialSendWindow = value;
    }
    this.#write(encodeFrame(frameType.settings, frameFlag.ack, 0, Buffer.alloc(0)));
    this.#wake();
  }

  #receiveWindowUpdate(stream: number, bytes: number): void {
    if (stream === 0) this.#sendWindow += bytes;
    else this.#streams.get(stream)?.openSendWindow(bytes);
    this.#wake();
  }

  /** Streams up to the last one that the other side took go on; the others were never looked at. */
  #receiveGoAway(payload: Buffer): void {
    const last = payload.readUInt32BE(0) & MAX_WINDOW;
    this.#isGoingAway = true;
    for (const id of [...this.#streams.keys()]) {
      if (id > last) this.#failStream(id, new StreamError(errorCode.refused, "the daemon is shutting down"));
    }
  }

  #failStream(id: number, error: Error): void {
    const stream = this.#streams.get(id);
    this.#streams.delete(id);
    stream?.fail(error);
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#transport?.close();
    for (const id of [...this.#streams.keys()]) this.#failStream(id, error);
    this.#wake();
  }
}
