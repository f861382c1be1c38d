/**
 * Netlink's framing (netlink(7), rtnetlink(7)): a header of 16 bytes, a body, attributes padded to 4 bytes. Numbers are
 * in the host's byte order, little-endian on every platform that ctl runs on; ports and addresses in the network's.
 */

export interface NetlinkRequest {
  /** For people, in the infinitive: what an error says was refused. */
  readonly what: string;
  readonly type: number;
  /** Without NLM_F_REQUEST and NLM_F_ACK: the socket adds them. */
  readonly flags: number;
  /** What follows the header: the family's own struct, then attributes. */
  readonly body: Buffer;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

export type Attributes = ReadonlyMap<number, Buffer>;

export const HEADER_BYTES = 16;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

export function encodeMessage(request: NetlinkRequest, flags: number, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + request.body.length, 0);
  header.writeUInt16LE(request.type, 4);
  header.writeUInt16LE(request.flags | flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, request.body]);
}

/** The messages of one datagram. Their bodies share its memory. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

export function decodeAttributes(buffer: Buffer): Attributes {
  const attributes = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= buffer.length; ) {
    const length = buffer.readUInt16LE(at);
    if (length < 4 || at + length > buffer.length) break;
    attributes.set(buffer.readUInt16LE(at + 2) & TYPE_MASK, buffer.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return attributes;
}

export function bytesAttribute(type: number, value: Uint8Array): Buffer {
  const attribute = Buffer.alloc(aligned(4 + value.length));
  attribute.writeUInt16LE(4 + value.length, 0);
  attribute.writeUInt16LE(type, 2);
  attribute.set(value, 4);
  return attribute;
}

export function textAttribute(type: number, value: string): Buffer {
  return bytesAttribute(type, Buffer.from(`${value}\0`));
}

export function byteAttribute(type: number, value: number): Buffer {
  return bytesAttribute(type, Uint8Array.of(value));
}

export function wordAttribute(type: number, value: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32LE(value);
  return bytesAttribute(type, word);
}

export function nestedAttribute(type: number, ...attributes: readonly Buffer[]): Buffer {
  return bytesAttribute(type | NESTED, Buffer.concat(attributes));
}

export function attributeText(value: Buffer | undefined): string {
  if (value === undefined) return "";
  const end = value.indexOf(0);
  return value.toString("utf8", 0, end < 0 ? value.length : end);
}

export function attributeWord(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 4 ? undefined : value.readUInt32LE(0);
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
