import type { FastifyInstance } from "fastify";
import { Container } from "#proto/ctl/containers/v1/containers.ts";
import { json } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { allPages } from "../pages.ts";
import { filters, flag, integer, type Query, text } from "../query.ts";
import { containerInspect, containerSummary } from "../translate/container.ts";

export const CONTAINER_FILTERS = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "isolation",
  "is-task",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;

export interface ById {
  Params: { id: string };
  Querystring: Query;
}

/** What containers there are, and all about one. */
export function containerRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  app.get<{ Querystring: Query }>("/containers/json", async (request, reply) => {
    const containers = await listContainers(request.query, deps, request.call);
    const nowMs = Date.now();
    return json(
      reply,
      containers.map((container) => containerSummary(container, request.apiVersion, nowMs)),
    );
  });
  app.get<ById>("/containers/:id/json", async (request, reply) => {
    const container = await inspectContainer(request.params.id, deps, request.call, flag(request.query, "size"));
    return json(reply, containerInspect(container, request.apiVersion));
  });
  app.get<ById>("/containers/:id/top", async (request, reply) => {
    const psArgs = text(request.query, "ps_args") || "-ef";
    const { titles, processes } = await deps.containers.topContainer({ ref: request.params.id, psArgs }, request.call);
    return json(reply, { Titles: titles, Processes: processes.map(({ fields }) => fields) });
  });
}

async function listContainers(query: Query, deps: DockerApiDeps, call: ApiCall): Promise<Container[]> {
  const wanted = filters(query, CONTAINER_FILTERS);
  const last = Math.max(integer(query, "limit") ?? 0, 0);
  // who asks for a state wants to see it, whether it runs or not
  const all = flag(query, "all") || wanted.some(({ key }) => key === "status");
  const withSize = flag(query, "size");
  return allPages(
    (page) => deps.containers.listContainers({ all, filters: wanted, last, withSize, ...page }, call),
    ({ containers }) => containers,
  );
}

export async function inspectContainer(
  ref: string,
  deps: DockerApiDeps,
  call: ApiCall,
  withSize = false,
): Promise<Container> {
  const { container } = await deps.containers.inspectContainer({ ref, withSize }, call);
  return container ?? Container.fromPartial({});
}
