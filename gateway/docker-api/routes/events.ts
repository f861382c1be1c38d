import type { FastifyInstance } from "fastify";
import { EventsRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { EVENT_FILTERS } from "../../../services/kit/event-filters.ts";
import { streamed } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { filters, invalidRequest, type Query, text } from "../query.ts";
import { eventLine } from "../translate/event.ts";
import { parseTime } from "../translate/times.ts";
import type { ApiVersion } from "../versions.ts";

/** `docker events`: one JSON object a line, for ever or until the given time. */
export function eventRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/events", async (request, reply) => {
    const wanted = EventsRequest.fromPartial({
      ...timeOf("since", request.query),
      ...timeOf("until", request.query),
      filters: filters(request.query, Object.keys(EVENT_FILTERS)),
    });
    await streamed(reply, lines(wanted, request.apiVersion, deps, request.call), {
      contentType: "application/json",
      isFlushedAtOnce: true,
    });
    return reply;
  });
}

function timeOf(name: "since" | "until", query: Query) {
  const value = text(query, name);
  if (value === "") return {};
  const time = parseTime(value);
  if (time === undefined) throw invalidRequest(`invalid value for "${name}": ${value}`);
  return { [name]: time };
}

async function* lines(
  wanted: EventsRequest,
  version: ApiVersion,
  deps: DockerApiDeps,
  call: ApiCall,
): AsyncGenerator<Uint8Array> {
  for await (const { event } of deps.engine.events(wanted, call)) {
    if (event !== undefined) yield eventLine(event, version);
  }
}
