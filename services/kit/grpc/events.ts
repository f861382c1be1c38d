import { Event } from "#proto/ctl/common/v1/common.ts";
import { parseEventFilters } from "../event-filters.ts";
import type { EventRow } from "../outbox.ts";
import { dateOf, type Timestamp, timestampOf } from "../timestamp.ts";
import { cursorOf, type EventFeed } from "../watch.ts";

/** What the WatchRequest of every service has. */
export interface WatchRange {
  readonly since: string;
  readonly sinceTime: Timestamp | undefined;
  readonly untilTime: Timestamp | undefined;
  readonly filters: readonly { readonly key: string; readonly values: readonly string[] }[];
}

/**
 * The whole of a service's `Watch`: its committed events as the contract has them. Ends with the signal. Throws
 * INVALID_ARGUMENT FILTER_UNKNOWN.
 */
export async function* watchEvents(
  feed: EventFeed,
  { since, sinceTime, untilTime, filters }: WatchRange,
  signal: AbortSignal,
): AsyncGenerator<{ event: Event }> {
  const range = {
    since,
    conditions: parseEventFilters(filters),
    ...(sinceTime === undefined ? {} : { sinceTime: dateOf(sinceTime) }),
    ...(untilTime === undefined ? {} : { until: dateOf(untilTime) }),
  };
  for await (const row of feed.watch(range, signal)) yield { event: eventOf(row) };
}

export function eventOf(row: EventRow): Event {
  return Event.fromPartial({
    cursor: cursorOf(row),
    time: timestampOf(row.at),
    type: row.type,
    action: row.action,
    id: row.subject,
    attributes: row.attributes,
  });
}
