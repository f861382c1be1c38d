/**
 * Bits per symbol, RFC 7541 appendix B. The code is canonical (shorter first, then by symbol), so the lengths say all.
 * Symbol 256 is the end of the string.
 */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

const LONGEST = 30;
const END_OF_STRING = 256;

/** Per length: the first code of that length, where its symbols begin in `symbols`, and how many there are. */
export interface HuffmanTable {
  readonly firstCode: readonly number[];
  readonly firstIndex: readonly number[];
  readonly count: readonly number[];
  readonly symbols: readonly number[];
}

/** 257 symbols sorted: about 30 µs, so the decoder makes it when the first compressed string comes. */
export function makeHuffmanTable(): HuffmanTable {
  const symbols: number[] = [];
  const firstCode: number[] = [0];
  const firstIndex: number[] = [0];
  const count: number[] = [0];
  let code = 0;
  for (let length = 1; length <= LONGEST; length++) {
    code <<= 1;
    firstCode.push(code);
    firstIndex.push(symbols.length);
    for (const [symbol, bits] of LENGTHS.entries()) if (bits === length) symbols.push(symbol);
    const found = symbols.length - (firstIndex[length] ?? 0);
    count.push(found);
    code += found;
  }
  return { firstCode, firstIndex, count, symbols };
}

/** A compressed string's octets, each as one character. Throws a RangeError for what is no such string. */
export function decodeHuffman(bytes: Uint8Array, table: HuffmanTable): string {
  let text = "";
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      length++;
      if (length > LONGEST) throw new RangeError("no Huffman code");
      const offset = code - (table.firstCode[length] ?? 0);
      if (offset < 0 || offset >= (table.count[length] ?? 0)) continue;
      const symbol = table.symbols[(table.firstIndex[length] ?? 0) + offset] ?? END_OF_STRING;
      if (symbol === END_OF_STRING) throw new RangeError("an end of string inside a Huffman string");
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  // section 5.2: less than a byte of padding, all ones
  if (length > 7 || code !== (1 << length) - 1) throw new RangeError("bad padding of a Huffman string");
  return text;
}
