import type { FastifyInstance } from "fastify";
import { ChangeKind } from "#proto/ctl/containers/v1/containers.ts";
import { json, streamed } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import type { ById } from "./containers.ts";

const KINDS: Readonly<Record<number, number>> = {
  [ChangeKind.MODIFIED]: 0,
  [ChangeKind.ADDED]: 1,
  [ChangeKind.DELETED]: 2,
};

/** `docker diff` and `docker export`: what a container made of its image, and all that it has. */
export function changeRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<ById>("/containers/:id/changes", async (request, reply) => {
    const found: { readonly Path: string; readonly Kind: number }[] = [];
    for await (const { changes } of deps.containers.listChanges({ ref: request.params.id }, request.call)) {
      for (const { path, kind } of changes) found.push({ Path: path, Kind: KINDS[kind] ?? 0 });
    }
    return json(reply, found);
  });
  app.get<ById>("/containers/:id/export", async (request, reply) => {
    const source = exportedBytes(request.params.id, deps, request.call);
    await streamed(reply, source, { contentType: "application/octet-stream", isFlushedAtOnce: false });
    return reply;
  });
}

async function* exportedBytes(ref: string, { containers }: DockerApiDeps, call: ApiCall): AsyncGenerator<Uint8Array> {
  for await (const { data } of containers.exportContainer({ ref }, call)) yield data;
}
