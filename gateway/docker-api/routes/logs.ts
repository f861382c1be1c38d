import type { FastifyInstance } from "fastify";
import { type LogRecord, type OutputStream, ReadLogsRequest } from "#proto/ctl/containers/v1/containers.ts";
import { streamed } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { encoderFor, streamType } from "../framing.ts";
import { flag, integer, invalidRequest, type Query, text } from "../query.ts";
import { parseTime, rfc3339NanoPadded } from "../translate/times.ts";
import { type ById, inspectContainer } from "./containers.ts";

/** `docker logs`, of what was and of what comes. */
export function logRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<ById>("/containers/:id/logs", async (request, reply) => {
    const wanted = logsRequest(request.params.id, request.query);
    const container = await inspectContainer(request.params.id, deps, request.call);
    const isTty = container.spec?.tty ?? false;
    const source = logBytes(wanted, { isTty, hasTimestamps: flag(request.query, "timestamps") }, deps, request.call);
    await streamed(reply, source, {
      contentType: streamType(request.apiVersion, isTty),
      isFlushedAtOnce: wanted.follow,
    });
    return reply;
  });
}

function logsRequest(ref: string, query: Query): ReadLogsRequest {
  const stdout = flag(query, "stdout");
  const stderr = flag(query, "stderr");
  if (!stdout && !stderr) throw invalidRequest("Bad parameters: you must choose at least one stream");
  return ReadLogsRequest.fromPartial({
    ref,
    stdout,
    stderr,
    follow: flag(query, "follow"),
    details: flag(query, "details"),
    asFrames: !flag(query, "timestamps") && !flag(query, "details"),
    ...tailOf(query),
    ...timeOf("since", query),
    ...timeOf("until", query),
  });
}

/** Docker takes whatever is no number for `all`. */
function tailOf(query: Query): { tail?: number } {
  const value = text(query, "tail");
  return /^\d{1,15}$/.test(value) ? { tail: integer(query, "tail") ?? 0 } : {};
}

function timeOf(name: "since" | "until", query: Query) {
  const value = text(query, name);
  if (value === "" || value === "0") return {};
  const time = parseTime(value);
  if (time === undefined) throw invalidRequest(`invalid value for "${name}": ${value}`);
  return { [name]: time };
}

interface LogShape {
  readonly isTty: boolean;
  readonly hasTimestamps: boolean;
}

async function* logBytes(
  wanted: ReadLogsRequest,
  { isTty, hasTimestamps }: LogShape,
  deps: DockerApiDeps,
  call: ApiCall,
): AsyncGenerator<Uint8Array> {
  const encode = encoderFor(isTty);
  const lines = new LineStarts(hasTimestamps);
  for await (const { records, details, frames } of deps.containers.readLogs(wanted, call)) {
    if (wanted.details && records.length === 0) lines.prefix = `${detailsText(details)} `;
    if (frames.length > 0) yield Buffer.concat(frames.map(({ stream, data }) => encode(stream, data)));
    if (records.length > 0) yield Buffer.concat(records.map((one) => encode(one.stream, lines.marked(one))));
  }
}

/** What stands before a line, not before each part of one. */
class LineStarts {
  readonly #hasTimestamps: boolean;
  readonly #isWithinLine: Partial<Record<OutputStream, boolean>> = {};
  prefix = "";

  constructor(hasTimestamps: boolean) {
    this.#hasTimestamps = hasTimestamps;
  }

  marked({ stream, isLineEnd, time, data }: LogRecord): Uint8Array {
    const isLineStart = !this.#isWithinLine[stream];
    this.#isWithinLine[stream] = !isLineEnd;
    const start = `${this.#hasTimestamps ? `${rfc3339NanoPadded(time)} ` : ""}${this.prefix}`;
    return isLineStart && start !== "" ? Buffer.concat([Buffer.from(start), data]) : data;
  }
}

/** `details=1`: sorted, and each part as in a URL's query. */
function detailsText(details: Readonly<Record<string, string>>): string {
  const parts = Object.entries(details).map((pair) => new URLSearchParams([pair]).toString());
  return parts.sort().join(",");
}
