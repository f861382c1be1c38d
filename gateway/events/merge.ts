import type { Event, Filter } from "#proto/ctl/common/v1/common.ts";
import type { Timestamp } from "#proto/google/protobuf/timestamp.ts";
import { AsyncQueue } from "../../services/kit/async-queue.ts";
import { sleep } from "../../services/kit/deadlines.ts";
import { CtlError, isCtlError } from "../../services/kit/errors.ts";
import type { Clients } from "../clients.ts";
import { SERVICES, type ServiceName } from "../settings.ts";

export interface EventRange {
  readonly since: Timestamp | undefined;
  readonly until: Timestamp | undefined;
  /** A cursor of this merge; empty: none. */
  readonly cursor: string;
  readonly filters: readonly Filter[];
}

type Cursors = Partial<Record<ServiceName, string>>;

/**
 * The services' events as one stream, each with a cursor that names a position in all of them. With `until` it is
 * ordered by time and ends; without, events come as they are committed. A service that is away is waited for: its
 * events come late, never not at all.
 */
export async function* mergeEvents(clients: Clients, range: EventRange, signal: AbortSignal): AsyncGenerator<Event> {
  const cursors = parseCursors(range.cursor);
  const ends = new AbortController();
  const linked = AbortSignal.any([signal, ends.signal]);
  const streams = SERVICES.map((name) => watchService(clients, name, cursors[name] ?? "", range, linked));
  try {
    const merged = range.until === undefined ? asTheyCome(streams) : byTime(streams);
    for await (const { service, event } of merged) {
      cursors[service] = event.cursor;
      yield { ...event, cursor: formatCursors(cursors) };
    }
  } finally {
    ends.abort();
  }
}

interface ServiceEvent {
  readonly service: ServiceName;
  readonly event: Event;
}

const RETRY_MS = 250;

async function* watchService(
  clients: Clients,
  service: ServiceName,
  since: string,
  { since: sinceTime, until: untilTime, filters }: EventRange,
  signal: AbortSignal,
): AsyncGenerator<ServiceEvent> {
  let position = since;
  while (!signal.aborted) {
    try {
      const begin = { since: position, sinceTime: position === "" ? sinceTime : undefined };
      const request = { ...begin, untilTime, filters: [...filters] };
      for await (const { event } of clients[service].watch(request, { signal })) {
        if (event === undefined) continue;
        position = event.cursor;
        yield { service, event };
      }
      if (untilTime !== undefined) return;
    } catch (error) {
      if (signal.aborted) return;
      if (!isCtlError(error, "UNAVAILABLE", "CANCELLED")) throw error;
    }
    await sleep(RETRY_MS, signal).catch(() => {});
  }
}

async function* asTheyCome(streams: readonly AsyncGenerator<ServiceEvent>[]): AsyncGenerator<ServiceEvent> {
  const queue = new AsyncQueue<ServiceEvent>();
  const pump = async (stream: AsyncGenerator<ServiceEvent>): Promise<void> => {
    for await (const item of stream) queue.push(item);
  };
  Promise.all(streams.map(pump)).then(
    () => queue.end(),
    (error: unknown) => queue.fail(error),
  );
  yield* queue;
}

/** The earliest of the streams' heads, until all have ended. */
async function* byTime(streams: readonly AsyncGenerator<ServiceEvent>[]): AsyncGenerator<ServiceEvent> {
  const heads = await Promise.all(streams.map(async (stream) => ({ stream, head: await stream.next() })));
  for (;;) {
    const open = heads.filter((entry) => entry.head.done !== true);
    const first = open.toSorted((a, b) => compareTimes(a.head.value.event.time, b.head.value.event.time))[0];
    if (first === undefined) return;
    yield first.head.value;
    first.head = await first.stream.next();
  }
}

function compareTimes(a: Timestamp | undefined, b: Timestamp | undefined): number {
  return (a?.seconds ?? 0) - (b?.seconds ?? 0) || (a?.nanos ?? 0) - (b?.nanos ?? 0);
}

function formatCursors(cursors: Cursors): string {
  return SERVICES.map((name) => cursors[name] ?? "").join(",");
}

function parseCursors(text: string): Cursors {
  if (text === "") return {};
  const parts = text.split(",");
  if (parts.length !== SERVICES.length) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "CURSOR_INVALID",
      what: `go on behind the event "${text}"`,
      why: "that is no event's cursor",
      fix: "pass the cursor of an event as it came",
    });
  }
  const entries = SERVICES.map((name, index) => [name, parts[index] ?? ""] as const);
  return Object.fromEntries(entries.filter(([, cursor]) => cursor !== ""));
}
