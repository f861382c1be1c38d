import type { Database } from "./database.ts";
import { abortError } from "./deadlines.ts";
import { CtlError } from "./errors.ts";
import type { EventConditions } from "./event-filters.ts";
import {
  currentPosition,
  type EventPosition,
  type EventRow,
  eventChannel,
  positionBefore,
  readEvents,
  readWantedEvents,
} from "./outbox.ts";

const POLL_MS = 1_000;
const HELD_BACK_MS = 3;
const BATCH = 500;

export interface EventRange {
  /** A cursor; empty: from `sinceTime`, or from now on. */
  readonly since: string;
  readonly sinceTime?: Date;
  /** The stream ends behind the last event of this time. */
  readonly until?: Date;
  /** Which of the events; undefined: all. */
  readonly conditions?: EventConditions | undefined;
}

/**
 * A service's committed events, from a position on and for ever: NOTIFY wakes it, a poll each second makes up for what
 * NOTIFY loses.
 */
export class EventFeed implements AsyncDisposable {
  readonly #db: Database;
  readonly #stopped = new AbortController();
  #wake = Promise.withResolvers<void>();
  #listening: Disposable | undefined;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Events behind a position, for ever or until a time. Ends with the signal. */
  async *watch(range: EventRange, signal: AbortSignal): AsyncGenerator<EventRow> {
    this.#listening ??= this.#db.shared.listen(eventChannel(this.#db.schema), () => this.#onChange());
    const ends = AbortSignal.any([signal, this.#stopped.signal]);
    let position = await this.#positionOf(range);
    while (!ends.aborted) {
      const woken = this.#wake.promise;
      const isPast = range.until !== undefined && range.until.getTime() < Date.now();
      const { batch, examined } = await this.#read(position, range.conditions);
      for (const event of batch.events) {
        if (range.until !== undefined && event.at > range.until) return;
        yield event;
        position = event;
      }
      if (batch.events.length === BATCH) continue;
      position = laterOf(position, examined);
      if (isPast && !batch.isHeldBack) return;
      await pause(woken, batch.isHeldBack ? HELD_BACK_MS : POLL_MS, ends);
    }
  }

  /**
   * `examined`: up to there the batch, unless it is full, has all that is wanted; what is not wanted is not read again. The
   * past may take a moment to search: not on the connection that all share.
   */
  async #read(position: EventPosition, conditions: EventConditions | undefined) {
    if (conditions === undefined) {
      return { batch: await readEvents(this.#db.shared, position, BATCH), examined: position };
    }
    const examined = await currentPosition(this.#db);
    return { batch: await readWantedEvents(this.#db, { after: position, limit: BATCH }, conditions), examined };
  }

  /**
   * Looks at rows again and again until `look` gives something: at every committed event of this schema, and each second.
   * A change between a look and the wait for the next is not missed. Throws by the signal.
   */
  async until<T>(look: () => Promise<T | undefined>, signal: AbortSignal, what: string): Promise<T> {
    this.#listening ??= this.#db.shared.listen(eventChannel(this.#db.schema), () => this.#onChange());
    const ends = AbortSignal.any([signal, this.#stopped.signal]);
    for (;;) {
      const woken = this.#wake.promise;
      const found = await look();
      if (found !== undefined) return found;
      if (ends.aborted) throw abortError(ends, what);
      await pause(woken, POLL_MS, ends);
    }
  }

  async #positionOf({ since, sinceTime }: EventRange): Promise<EventPosition> {
    if (since !== "") return parseCursor(since);
    return sinceTime === undefined ? currentPosition(this.#db) : positionBefore(this.#db, sinceTime);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    this.#wake.resolve();
    this.#listening?.[Symbol.dispose]();
  }

  #onChange(): void {
    const passed = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    passed.resolve();
  }
}

function laterOf(one: EventPosition, other: EventPosition): EventPosition {
  const order = Number(BigInt(one.xid) - BigInt(other.xid)) || Number(BigInt(one.id) - BigInt(other.id));
  return order >= 0 ? one : other;
}

async function pause(woken: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const over = () => resolve();
  const timer = setTimeout(over, ms);
  signal.addEventListener("abort", over, { once: true });
  void woken.then(over);
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", over);
}

export function cursorOf(position: EventPosition): string {
  return `${position.xid}-${position.id}`;
}

/** Throws INVALID_ARGUMENT CURSOR_INVALID. */
export function parseCursor(cursor: string): EventPosition {
  const match = /^(\d{1,20})-(\d{1,19})$/.exec(cursor);
  if (match?.[1] !== undefined && match[2] !== undefined) return { xid: match[1], id: match[2] };
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "CURSOR_INVALID",
    what: `go on behind the event "${cursor}"`,
    why: "that is no event's cursor",
    fix: "pass the cursor of an event as it came",
  });
}
