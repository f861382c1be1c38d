import type { AnswerFacts, Query } from "./wire.ts";

interface Entry {
  readonly answer: Buffer;
  readonly facts: AnswerFacts;
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
}

/** Entries; a typical answer has 150 bytes. */
const CAPACITY = 4_000;
const LONGEST_S = 600;
/** That there is no such name is believed for so long only: names come into being. RFC 2308 */
const LONGEST_NEGATIVE_S = 30;
const NO_SUCH_NAME = 3;

/** Answers of resolvers, as long as they say that they hold. One that is asked for least goes first when it is full. */
export class DnsCache {
  readonly #entries = new Map<string, Entry>();

  /** `source` says whose answer it is: containers with other resolvers have other answers. */
  find(source: string, message: Buffer, query: Query, nowMs: number): Buffer | undefined {
    const key = keyOf(source, query);
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.expiresAtMs <= nowMs) return undefined;
    this.#entries.set(key, entry);
    return answerTo(message, query, entry, nowMs);
  }

  store(source: string, query: Query, answer: Buffer, facts: AnswerFacts, nowMs: number): void {
    const seconds = lifetimeOf(facts);
    if (seconds <= 0 || facts.isTruncated) return;
    this.#entries.set(keyOf(source, query), {
      answer,
      facts,
      storedAtMs: nowMs,
      expiresAtMs: nowMs + seconds * 1000,
    });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > CAPACITY && oldest !== undefined) this.#entries.delete(oldest);
  }

  clear(): void {
    this.#entries.clear();
  }
}

function keyOf(source: string, { name, type, class: ofClass, variant }: Query): string {
  return `${type} ${ofClass} ${variant} ${name.toLowerCase()} ${source}`;
}

/** Errors are not kept; a negative answer without a word on how long it holds is not either. */
function lifetimeOf({ rcode, hasAnswers, shortestTtl }: AnswerFacts): number {
  if (shortestTtl === undefined || (rcode !== 0 && rcode !== NO_SUCH_NAME)) return 0;
  return Math.min(shortestTtl, hasAnswers ? LONGEST_S : LONGEST_NEGATIVE_S);
}

/** With the asker's id and its spelling of the name, and what is left of each record's time. */
function answerTo(message: Buffer, query: Query, { answer, facts, storedAtMs }: Entry, nowMs: number): Buffer {
  const copy = Buffer.from(answer);
  copy.writeUInt16BE(query.id, 0);
  message.copy(copy, 12, 12, query.end);
  const passedS = Math.floor((nowMs - storedAtMs) / 1000);
  for (const offset of facts.ttlOffsets) copy.writeUInt32BE(Math.max(0, copy.readUInt32BE(offset) - passedS), offset);
  return copy;
}
