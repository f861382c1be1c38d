/**
 * The few facts of a DNS message that are needed without decoding it whole: what is forwarded stays as it came, byte for
 * byte. All of it is hostile input: a message that does not hold together is undefined here, never an exception.
 * See RFC 1035 section 4, RFC 6891 (EDNS).
 */

const HEADER_BYTES = 12;
const TYPE_OPT = 41;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_AVAILABLE = 0x0080;
/** Opcode and "recursion desired" of a query come back in its answer. */
const FLAGS_KEPT = 0x7900;

export const Rcode = { ok: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;
export type Rcode = (typeof Rcode)[keyof typeof Rcode];

export interface Query {
  readonly id: number;
  readonly opcode: number;
  /** As it was written, without the last dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question ends. */
  readonly end: number;
  /** How long an answer over UDP may be. */
  readonly udpBytes: number;
  /** What of the query besides its question changes an answer: EDNS, DNSSEC OK, checking disabled. */
  readonly variant: string;
}

export function readQuery(message: Buffer): Query | undefined {
  try {
    const flags = message.readUInt16BE(2);
    const isOneQuestion = (flags & FLAG_RESPONSE) === 0 && message.readUInt16BE(4) === 1;
    if (!isOneQuestion) return undefined;
    const { labels, end } = readLabels(message, HEADER_BYTES);
    const edns = readEdns(message, end + 4);
    return {
      id: message.readUInt16BE(0),
      opcode: (flags >> 11) & 0xf,
      name: labels.join("."),
      type: message.readUInt16BE(end),
      class: message.readUInt16BE(end + 2),
      end: end + 4,
      udpBytes: Math.max(512, edns?.udpBytes ?? 512),
      variant: `${edns === undefined ? "" : edns.isDnssec ? "D" : "E"}${(flags & 0x0010) === 0 ? "" : "C"}`,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** An answer without records: an error, or "ask again over TCP". */
export function bareAnswer(message: Buffer, { end }: Query, rcode: Rcode, isTruncated = false): Buffer {
  const answer = Buffer.alloc(end);
  message.copy(answer, 0, 0, end);
  const kept = message.readUInt16BE(2) & FLAGS_KEPT;
  const flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | rcode | (isTruncated ? FLAG_TRUNCATED : 0);
  answer.writeUInt16BE(flags, 2);
  answer.writeUInt16BE(1, 4);
  answer.fill(0, 6, HEADER_BYTES);
  return answer;
}

export interface AnswerFacts {
  readonly rcode: number;
  readonly isTruncated: boolean;
  /** Of each record but EDNS's own. */
  readonly ttlOffsets: readonly number[];
  /** Seconds; undefined: it has no record. */
  readonly shortestTtl: number | undefined;
  readonly hasAnswers: boolean;
}

/** Undefined: it is no answer to this query, or does not hold together. */
export function readAnswer(answer: Buffer, query: Query, question: Buffer): AnswerFacts | undefined {
  try {
    const flags = answer.readUInt16BE(2);
    if ((flags & FLAG_RESPONSE) === 0 || !isSameQuestion(answer, query, question)) return undefined;
    const counts = [answer.readUInt16BE(6), answer.readUInt16BE(8), answer.readUInt16BE(10)];
    const ttlOffsets: number[] = [];
    let at = query.end;
    for (let left = counts.reduce((sum, count) => sum + count, 0); left > 0; left--) {
      at = skipName(answer, at);
      if (answer.readUInt16BE(at) !== TYPE_OPT) ttlOffsets.push(at + 4);
      at += 10 + answer.readUInt16BE(at + 8);
      if (at > answer.length) return undefined;
    }
    const ttls = ttlOffsets.map((offset) => answer.readUInt32BE(offset));
    return {
      rcode: flags & 0xf,
      isTruncated: (flags & FLAG_TRUNCATED) !== 0,
      ttlOffsets,
      shortestTtl: ttls.length === 0 ? undefined : Math.min(...ttls),
      hasAnswers: (counts[0] ?? 0) > 0,
    };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The names' letters may differ in case: some resolvers answer in their own. */
function isSameQuestion(answer: Buffer, { end }: Query, question: Buffer): boolean {
  if (answer.readUInt16BE(4) !== 1 || answer.length < end) return false;
  const asked = question.toString("latin1", HEADER_BYTES, end).toLowerCase();
  return answer.toString("latin1", HEADER_BYTES, end).toLowerCase() === asked;
}

function readLabels(message: Buffer, start: number): { readonly labels: string[]; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message.readUInt8(at);
    if (length === 0) return { labels, end: at + 1 };
    if (length > 63 || at + 1 + length > message.length || at - start > 255) throw new RangeError("no name");
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
}

function skipName(message: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = message.readUInt8(at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) throw new RangeError("no name");
    at += 1 + length;
  }
}

function readEdns(
  message: Buffer,
  start: number,
): { readonly udpBytes: number; readonly isDnssec: boolean } | undefined {
  let at = start;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let left = records; left > 0; left--) {
    at = skipName(message, at);
    if (message.readUInt16BE(at) === TYPE_OPT) {
      return { udpBytes: message.readUInt16BE(at + 2), isDnssec: (message.readUInt8(at + 6) & 0x80) !== 0 };
    }
    at += 10 + message.readUInt16BE(at + 8);
  }
  return undefined;
}
