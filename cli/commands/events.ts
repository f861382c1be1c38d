import type { Event } from "#proto/ctl/common/v1/common.ts";
import { EventsRequest, GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../grammar/command.ts";
import { parsed, parsedList, text } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import { goTime } from "../output/human.ts";
import { rfc3339, toDate } from "../output/time.ts";
import { formatValue } from "../output/value.ts";
import { reconnecting } from "../reconnect.ts";
import { parseFilter, toFilters } from "../values/filter.ts";
import { parseTime } from "../values/units/time.ts";

const readTime = (given: string) => parseTime(given, Date.now());

export const events = command({
  summary: "Get events from the daemon as they happen",
  usage: "[OPTIONS]",
  flags: {
    filter: parsedList({ short: "f", value: "filter", help: "Show only what matches name=value" }, parseFilter),
    format: text({ help: "'json', or a Go template for each line" }),
    since: parsed({ help: "Begin with a time (2026-01-31T12:00:00Z) or duration (10m ago)" }, readTime),
    until: parsed({ help: "End at a time or duration" }, readTime),
  },
  least: 0,
  most: 0,
  async run({ flags }, { daemon, stdout }) {
    const { since, until, filter, format } = flags;
    let cursor = "";
    await reconnecting(isGone, async () => {
      const request = EventsRequest.fromPartial({
        cursor,
        filters: toFilters(filter),
        ...(since === undefined ? {} : { since }),
        ...(until === undefined ? {} : { until }),
      });
      for await (const { event } of daemon.stream(GatewayService.events, request)) {
        if (event === undefined) continue;
        await stdout.stream(Buffer.from(format === undefined ? line(event) : formatValue(fields(event), format)));
        cursor = event.cursor;
      }
    });
    return 0;
  },
});

function line(event: Event): string {
  const attributes = Object.entries(event.attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  const shown = attributes.map(([key, value]) => `${key}=${value}`).join(", ");
  const time = event.time === undefined ? "" : rfc3339(event.time, 9);
  return `${time} ${event.type} ${event.action} ${event.id}${shown === "" ? "" : ` (${shown})`}\n`;
}

function fields(event: Event) {
  const { seconds, nanos } = event.time ?? { seconds: 0, nanos: 0 };
  return {
    status: event.action,
    id: event.id,
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: event.attributes },
    ID: event.id,
    Time: goTime(toDate(event.time)),
    scope: "local",
    time: seconds,
    timeNano: seconds * 1e9 + nanos,
  };
}
