import type { Field } from "./hpack.ts";

/** What happens on one stream, in order; `ended` or `failed` comes last, and only one of them. */
export interface StreamEvents {
  fields(fields: readonly Field[]): void;
  data(bytes: Buffer): void;
  ended(): void;
  failed(error: Error): void;
}

/** The other side, or the connection, gave this stream up. */
export class StreamError extends Error {
  override readonly name = "StreamError";
  /** RFC 9113, section 7. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** What a stream needs of its connection. */
export interface StreamWires {
  /** How many of `wanted` bytes may be sent now on the connection; they count as sent. 0: wait for `changed`. */
  take(wanted: number): number;
  sendData(stream: number, bytes: Uint8Array, isLast: boolean): void;
  sendReset(stream: number, code: number): void;
  sendWindowUpdate(stream: number, bytes: number): void;
  /** Resolves at the next change of a window, of the kernel's buffer, or at the end. */
  changed(): Promise<void>;
  forget(stream: number): void;
}

/** One request and its answer: both directions end separately. Its receive window is opened by `credit` alone. */
export class Http2Stream {
  readonly id: number;
  readonly #wires: StreamWires;
  readonly #events: StreamEvents;
  #sendWindow: number;
  #local: "open" | "ended" = "open";
  #remote: "open" | "ended" = "open";

  constructor(id: number, sendWindow: number, wires: StreamWires, events: StreamEvents) {
    this.id = id;
    this.#sendWindow = sendWindow;
    this.#wires = wires;
    this.#events = events;
  }

  /**
   * Sends the bytes within the windows that the other side has opened; resolves when the last of them left. What fits
   * leaves in this tick. After the stream has ended nothing is sent: its events say why. One call at a time.
   */
  async send(bytes: Uint8Array, isLast: boolean): Promise<void> {
    let rest = bytes;
    while (this.#local === "open") {
      const count = this.#wires.take(Math.min(rest.length, Math.max(0, this.#sendWindow)));
      if (count === 0 && rest.length > 0) {
        await this.#wires.changed();
        continue;
      }
      this.#sendWindow -= count;
      const isDone = count === rest.length;
      this.#wires.sendData(this.id, rest.subarray(0, count), isLast && isDone);
      if (isDone && isLast) this.#endLocal();
      if (isDone) return;
      rest = rest.subarray(count);
    }
  }

  /** Lets the other side send so many bytes more. */
  credit(bytes: number): void {
    if (this.#remote === "open") this.#wires.sendWindowUpdate(this.id, bytes);
  }

  /** Ends both directions at once; no event follows. */
  cancel(code: number): void {
    if (this.#local === "ended" && this.#remote === "ended") return;
    this.#local = "ended";
    this.#remote = "ended";
    this.#wires.sendReset(this.id, code);
    this.#wires.forget(this.id);
  }

  openSendWindow(bytes: number): void {
    this.#sendWindow += bytes;
  }

  receiveFields(fields: readonly Field[], isLast: boolean): void {
    if (this.#remote === "ended") return;
    this.#events.fields(fields);
    if (isLast) this.#endRemote();
  }

  receiveData(bytes: Buffer, isLast: boolean): void {
    if (this.#remote === "ended") return;
    if (bytes.length > 0) this.#events.data(bytes);
    if (isLast) this.#endRemote();
  }

  fail(error: Error): void {
    if (this.#remote === "ended") return;
    this.#local = "ended";
    this.#remote = "ended";
    this.#events.failed(error);
  }

  #endLocal(): void {
    this.#local = "ended";
    if (this.#remote === "ended") this.#wires.forget(this.id);
  }

  #endRemote(): void {
    this.#remote = "ended";
    // the answer is whole: what is still to be sent has no reader (RFC 9113, section 8.1)
    if (this.#local === "open") {
      this.#local = "ended";
      this.#wires.sendReset(this.id, 0);
    }
    this.#wires.forget(this.id);
    this.#events.ended();
  }
}
