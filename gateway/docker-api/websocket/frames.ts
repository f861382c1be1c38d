export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export const CloseStatus = { normal: 1000, protocolError: 1002 } as const;
const MAX_CONTROL_BYTES = 125;

export interface Control {
  pong(data: Uint8Array): Promise<void>;
  /** The client closes, or breaks the protocol: nothing it sends is read any more. */
  close(status: number): void;
}

/**
 * What a client's messages hold, piece by piece, until it closes (RFC 6455 §5). Nothing is gathered: a message of any length
 * passes through as it comes.
 */
export async function* messages(source: AsyncIterable<Buffer>, control: Control): AsyncGenerator<Buffer> {
  const bytes = new Bytes(source);
  let isWithinMessage = false;
  for (let head = await frameHead(bytes); head !== undefined; head = await frameHead(bytes)) {
    if (!isLegal(head, isWithinMessage)) return control.close(CloseStatus.protocolError);
    if (head.opcode < Opcode.close) {
      isWithinMessage = !head.isFinal;
      yield* payload(bytes, head);
      continue;
    }
    const data = Buffer.concat(await Array.fromAsync(payload(bytes, head)));
    if (head.opcode === Opcode.close) return control.close(CloseStatus.normal);
    if (head.opcode === Opcode.ping) await control.pong(data);
  }
}

interface FrameHead {
  readonly isFinal: boolean;
  readonly reserved: number;
  readonly opcode: number;
  readonly length: number;
  /** Undefined: a client that does not mask, which it must. */
  readonly mask: Buffer | undefined;
}

/** Undefined: the connection ended. */
async function frameHead(bytes: Bytes): Promise<FrameHead | undefined> {
  const [first = 0, second = 0] = (await bytes.exactly(2)) ?? [];
  const short = second & 0x7f;
  const long = short < 126 ? undefined : await bytes.exactly(short === 126 ? 2 : 8);
  const mask = second & 0x80 ? await bytes.exactly(4) : undefined;
  if (bytes.isOver) return undefined;
  const length = long === undefined ? short : long.length === 2 ? long.readUInt16BE() : Number(long.readBigUInt64BE());
  return { isFinal: (first & 0x80) !== 0, reserved: first & 0x70, opcode: first & 0x0f, length, mask };
}

function isLegal({ isFinal, reserved, opcode, length, mask }: FrameHead, isWithinMessage: boolean): boolean {
  if (mask === undefined || reserved !== 0 || !Number.isSafeInteger(length)) return false;
  if (opcode >= Opcode.close) return opcode <= Opcode.pong && isFinal && length <= MAX_CONTROL_BYTES;
  return opcode === Opcode.continuation ? isWithinMessage : opcode <= Opcode.binary && !isWithinMessage;
}

async function* payload(bytes: Bytes, { length, mask }: FrameHead): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < length; ) {
    const piece = await bytes.upTo(length - offset);
    if (piece === undefined) return;
    yield Buffer.from(piece.map((byte, index) => byte ^ (mask?.[(offset + index) & 3] ?? 0)));
    offset += piece.length;
  }
}

/** The client's bytes, in the pieces that a frame's parts have. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  isOver = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async exactly(length: number): Promise<Buffer | undefined> {
    while (this.#rest.length < length && !this.isOver) await this.#more();
    return this.isOver ? undefined : this.#take(length);
  }

  async upTo(length: number): Promise<Buffer | undefined> {
    if (this.#rest.length === 0) await this.#more();
    return this.isOver ? undefined : this.#take(length);
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  async #more(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) this.isOver = true;
    else this.#rest = Buffer.concat([this.#rest, next.value]);
  }
}

/** A whole message in one frame; a server does not mask. */
export function frame(opcode: number, data: Uint8Array): Buffer {
  const head = Buffer.from([0x80 | opcode, data.length, 0, 0, 0, 0, 0, 0, 0, 0]);
  if (data.length < 126) return Buffer.concat([head.subarray(0, 2), data]);
  if (data.length < 1 << 16) {
    head[1] = 126;
    head.writeUInt16BE(data.length, 2);
    return Buffer.concat([head.subarray(0, 4), data]);
  }
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(data.length), 2);
  return Buffer.concat([head, data]);
}

export function closeFrame(status: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(status);
  return frame(Opcode.close, bytes);
}
