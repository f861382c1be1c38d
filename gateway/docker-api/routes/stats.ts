import type { FastifyInstance } from "fastify";
import { WatchStatsRequest } from "#proto/ctl/containers/v1/containers.ts";
import { jsonLine, streamed } from "../answer.ts";
import { type ApiCall, type DockerApiDeps, endableCall } from "../deps.ts";
import { flag, type Query } from "../query.ts";
import { statsBody } from "../translate/stats.ts";
import type { ById } from "./containers.ts";

interface Wanted {
  readonly isStream: boolean;
  /** Without a moment before: what has just begun to be watched is answered at once. */
  readonly isOneShot: boolean;
}

/** `docker stats`, of one container: a line each second, or one. */
export function statsRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<ById>("/containers/:id/stats", async (request, reply) => {
    const { query, params, call } = request;
    const isStream = isTrueByDefault(query, "stream");
    const wanted = { isStream, isOneShot: !isStream && flag(query, "one-shot") };
    const source = lines(params.id, wanted, deps, call);
    await streamed(reply, source, { contentType: "application/json", isFlushedAtOnce: false });
    return reply;
  });
}

function isTrueByDefault(query: Query, name: string): boolean {
  return query[name] === undefined || flag(query, name);
}

async function* lines(
  ref: string,
  { isStream, isOneShot }: Wanted,
  deps: DockerApiDeps,
  call: ApiCall,
): AsyncGenerator<Uint8Array> {
  const watching = endableCall(call);
  const request = WatchStatsRequest.fromPartial({ refs: [ref], once: isOneShot });
  let previous: Parameters<typeof statsBody>[1];
  let isFirst = true;
  try {
    for await (const { containers } of deps.containers.watchStats(request, watching.call)) {
      const [stats] = containers;
      if (stats === undefined) return;
      // a rate needs two; what does not run has none
      const isShown = isStream || isOneShot || !isFirst || stats.usage === undefined;
      if (isShown) yield jsonLine(statsBody(stats, previous));
      if (isShown && !isStream) return;
      previous = stats.usage;
      isFirst = false;
    }
  } finally {
    watching.end();
  }
}
