/** RFC 9113, section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** RFC 9113, section 6: the same bit means END_STREAM on data and headers, ACK on settings and ping. */
export const frameFlag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;

/** RFC 9113, section 7. */
export const errorCode = { none: 0, protocol: 1, flowControl: 3, streamClosed: 5, refused: 7, cancel: 8 } as const;

/** RFC 9113, section 6.5.2. */
export const setting = { enablePush: 2, initialWindowSize: 4, maxFrameSize: 5 } as const;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;

export function encodeFrame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUIntBE(payload.length, 0, 3);
  frame[3] = type;
  frame[4] = flags;
  frame.writeUInt32BE(stream, 5);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function encodeSettings(values: readonly (readonly [number, number])[]): Buffer {
  const payload = Buffer.allocUnsafe(values.length * 6);
  for (const [index, [key, value]] of values.entries()) {
    payload.writeUInt16BE(key, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  return encodeFrame(frameType.settings, 0, 0, payload);
}

export function decodeSettings(payload: Buffer): [number, number][] {
  const values: [number, number][] = [];
  for (let at = 0; at + 6 <= payload.length; at += 6) {
    values.push([payload.readUInt16BE(at), payload.readUInt32BE(at + 2)]);
  }
  return values;
}

export function encodeUint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Cuts a byte stream into frames. A payload is a view of what arrived: it is not copied. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are complete now. Throws a RangeError for one that is longer than `maxBytes`. */
  *push(chunk: Uint8Array, maxBytes: number): Generator<Frame> {
    const arrived = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let bytes = this.#rest.length === 0 ? arrived : Buffer.concat([this.#rest, arrived]);
    this.#rest = bytes;
    while (bytes.length >= HEADER_BYTES) {
      const length = bytes.readUIntBE(0, 3);
      if (length > maxBytes) throw new RangeError(`a frame of ${length} bytes`);
      const end = HEADER_BYTES + length;
      if (bytes.length < end) break;
      const payload = bytes.subarray(HEADER_BYTES, end);
      const frame = { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), stream: bytes.readUInt32BE(5), payload };
      bytes = bytes.subarray(end);
      this.#rest = bytes;
      yield frame;
    }
  }
}

/** The payload without padding (both kinds) and without priority (headers). */
export function contentOf(frame: Frame): Buffer {
  const isPadded = (frame.flags & frameFlag.padded) !== 0;
  const hasPriority = frame.type === frameType.headers && (frame.flags & frameFlag.priority) !== 0;
  const start = (isPadded ? 1 : 0) + (hasPriority ? 5 : 0);
  const padding = isPadded ? frame.payload.readUInt8(0) : 0;
  if (start + padding > frame.payload.length) throw new RangeError("padding longer than its frame");
  return frame.payload.subarray(start, frame.payload.length - padding);
}
