import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import {
  type PathStat,
  ReadArchiveRequest,
  type WriteArchiveOpen,
  type WriteArchiveRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { nothing, streamed } from "../answer.ts";
import type { DockerApiDeps } from "../deps.ts";
import { flag, invalidRequest, type Query, text } from "../query.ts";
import { pathStatHeader } from "../translate/path-stat.ts";
import type { ById } from "./containers.ts";

const STAT_HEADER = "X-Docker-Container-Path-Stat";
const PAGE = "/containers/:id/archive";

/** `docker cp`: what is at a path, that as a tar, and a tar unpacked below a directory. */
export function archiveRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.head<ById>(PAGE, async (request, reply) => {
    const wanted = { ref: request.params.id, path: pathOf(request.query) };
    const { stat } = await deps.containers.statPath(wanted, request.call);
    tellStat(reply, stat);
    return nothing(reply, 200);
  });
  app.get<ById>(PAGE, async (request, reply) => {
    await streamed(reply, archiveBytes(request, reply, deps), ARCHIVE);
    return reply;
  });
  app.put<ById>(PAGE, { config: { isStreaming: true } }, async (request, reply) => {
    const open = openRequest(request.params.id, request.query);
    for await (const _ of deps.containers.writeArchive(unpacking(open, request.raw), request.call));
    return nothing(reply, 200);
  });
}

const ARCHIVE = { contentType: "application/x-tar", isFlushedAtOnce: false };

/** The stat comes before the first byte, and so before the headers are sent. */
async function* archiveBytes(
  { params, query, call }: FastifyRequest<ById>,
  reply: FastifyReply,
  { containers }: DockerApiDeps,
): AsyncGenerator<Uint8Array> {
  const wanted = ReadArchiveRequest.fromPartial({ ref: params.id, path: pathOf(query) });
  for await (const { part } of containers.readArchive(wanted, call)) {
    if (part?.$case === "stat") tellStat(reply, part.value);
    else if (part?.$case === "data") yield part.value;
  }
}

function tellStat(reply: FastifyReply, stat: PathStat | undefined): void {
  if (stat !== undefined) reply.raw.setHeader(STAT_HEADER, pathStatHeader(stat));
}

function openRequest(ref: string, query: Query): WriteArchiveOpen {
  return {
    ref,
    path: pathOf(query),
    noOverwriteDirNonDir: flag(query, "noOverwriteDirNonDir"),
    copyUidGid: flag(query, "copyUIDGID"),
  };
}

/**
 * The request's body, no faster than it is unpacked. Where that fails the rest is read and forgotten: a client that still
 * writes when the connection closes would see a reset and not the answer.
 */
async function* unpacking(open: WriteArchiveOpen, body: IncomingMessage): AsyncGenerator<WriteArchiveRequest> {
  try {
    yield { part: { $case: "open", value: open } };
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      yield { part: { $case: "data", value: chunk } };
    }
  } finally {
    body.resume();
  }
}

function pathOf(query: Query): string {
  const path = text(query, "path");
  if (path === "") throw invalidRequest("bad parameter: path cannot be empty");
  return path;
}
