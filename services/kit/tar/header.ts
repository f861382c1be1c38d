import { corrupt } from "./corrupt.ts";
import type { BytePath } from "./entry.ts";

export const BLOCK_SIZE = 512;

/** One 512-byte header as POSIX ustar, GNU or V7 have it; see tar(5). Numbers are parsed, strings are bytes as latin1. */
export interface TarHeader {
  readonly type: string;
  readonly path: BytePath;
  readonly linkTarget: BytePath;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

const SPACE = 0x20;
const CHECKSUM_AT = 148;

/** Throws INVALID_ARGUMENT LAYER_CORRUPT where the checksum is wrong or a number is none. */
export function parseHeader(block: Buffer): TarHeader {
  checkChecksum(block);
  const magic = block.toString("latin1", 257, 263);
  const isUstar = magic === "ustar\0";
  const hasDevices = isUstar || magic === "ustar ";
  const name = text(block, 0, 100);
  const prefix = isUstar ? text(block, 345, 155) : "";
  return {
    type: String.fromCharCode(block[156] ?? 0),
    path: prefix === "" ? name : `${prefix}/${name}`,
    linkTarget: text(block, 157, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    deviceMajor: hasDevices ? number(block, 329, 8) : 0,
    deviceMinor: hasDevices ? number(block, 337, 8) : 0,
  };
}

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < BLOCK_SIZE; i += 4) if (block.readUInt32LE(i) !== 0) return false;
  return true;
}

/** Bytes up to the first NUL, at most `length`. */
export function text(block: Buffer, at: number, length: number): BytePath {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return block.toString("latin1", at, end);
}

/** Octal with spaces and NULs around it, or GNU's base-256: the first byte's top bit set, big-endian, signed. */
export function number(block: Buffer, at: number, length: number): number {
  if (((block[at] ?? 0) & 0x80) !== 0) return base256(block, at, length);
  let value = 0;
  let i = at;
  const end = at + length;
  while (i < end && (block[i] === SPACE || block[i] === 0)) i++;
  for (; i < end; i++) {
    const byte = block[i] ?? 0;
    if (byte === 0 || byte === SPACE) return value;
    if (byte < 0x30 || byte > 0x37) throw corrupt("a number in a tar header is not octal");
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function base256(block: Buffer, at: number, length: number): number {
  const isNegative = block[at] === 0xff;
  let value = isNegative ? -1 : (block[at] ?? 0) & 0x7f;
  for (let i = at + 1; i < at + length; i++) value = value * 256 + (block[i] ?? 0);
  if (!Number.isSafeInteger(value)) throw corrupt("a number in a tar header is out of range");
  return value;
}

/** The sum of all bytes with the checksum's own as spaces; some old tars summed signed bytes. */
function checkChecksum(block: Buffer): void {
  let sum = 0;
  let high = 0;
  for (let i = 0; i < BLOCK_SIZE; i++) {
    const byte = block[i] ?? 0;
    sum += byte;
    high += byte >> 7;
  }
  for (let i = CHECKSUM_AT; i < CHECKSUM_AT + 8; i++) {
    const byte = block[i] ?? 0;
    sum += SPACE - byte;
    high -= byte >> 7;
  }
  const stated = number(block, CHECKSUM_AT, 8);
  if (stated !== sum && stated !== sum - 256 * high) throw corrupt("a tar header's checksum is wrong");
}
