/** gRPC's length-prefixed messages: a flag byte (1: compressed), four bytes of length, the message. */
const PREFIX_BYTES = 5;

/** The same limit as the daemon has for what it receives. */
const MAX_MESSAGE_BYTES = 64 << 20;

export function frameMessage(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, PREFIX_BYTES);
  return framed;
}

/** Cuts a stream's bytes into messages. */
export class MessageReader {
  #parts: Buffer[] = [];
  #bytes = 0;

  /** The messages that are complete now. Throws a RangeError for one that is compressed or over 64 MiB. */
  push(chunk: Buffer): Buffer[] {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    const messages: Buffer[] = [];
    for (let length = this.#nextLength(); length !== undefined; length = this.#nextLength()) {
      const joined = this.#joined();
      messages.push(joined.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
      const rest = joined.subarray(PREFIX_BYTES + length);
      this.#parts = rest.length === 0 ? [] : [rest];
      this.#bytes = rest.length;
    }
    return messages;
  }

  /** The length of the first message, once all of it is here. */
  #nextLength(): number | undefined {
    if (this.#bytes < PREFIX_BYTES) return undefined;
    const head = (this.#parts[0]?.length ?? 0) >= PREFIX_BYTES ? this.#parts[0] : this.#joined();
    if (head === undefined) return undefined;
    if (head.readUInt8(0) !== 0) throw new RangeError("a compressed message, which was not asked for");
    const length = head.readUInt32BE(1);
    if (length > MAX_MESSAGE_BYTES) throw new RangeError(`a message of ${length} bytes`);
    return this.#bytes >= PREFIX_BYTES + length ? length : undefined;
  }

  #joined(): Buffer {
    const only = this.#parts.length === 1 ? this.#parts[0] : undefined;
    const joined = only ?? Buffer.concat(this.#parts);
    this.#parts = [joined];
    return joined;
  }
}
