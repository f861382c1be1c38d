import type { FastifyInstance } from "fastify";
import { CtlError, isCtlError } from "../../../services/kit/errors.ts";
import { nothing } from "../answer.ts";
import type { ApiCall, DockerApiDeps } from "../deps.ts";
import { flag, integer, invalidRequest, text } from "../query.ts";
import { type ById, inspectContainer } from "./containers.ts";

/** A stop lasts as long as the container's own timeout says; the client's going away ends the waiting. */
const patient = (call: ApiCall) => ({ ...call, timeoutMs: Number.POSITIVE_INFINITY });

/** What changes a container's state. "Already so" is 304. */
export function lifecycleRoutes(app: FastifyInstance, deps: DockerApiDeps): void {
  const { containers, engine } = deps;
  app.post<ById>("/containers/:id/start", async (request, reply) => {
    const changed = await start(request.params.id, deps, request.call);
    return nothing(reply, changed ? 204 : 304);
  });
  app.post<ById>("/containers/:id/stop", async (request, reply) => {
    const { changed } = await containers.stopContainer(stopping(request), patient(request.call));
    return nothing(reply, changed ? 204 : 304);
  });
  app.post<ById>("/containers/:id/restart", async (request, reply) => {
    await engine.restartContainer(stopping(request), patient(request.call));
    return nothing(reply);
  });
  app.post<ById>("/containers/:id/kill", async (request, reply) => {
    await containers.killContainer({ ref: request.params.id, signal: text(request.query, "signal") }, request.call);
    return nothing(reply);
  });
  app.post<ById>("/containers/:id/pause", async (request, reply) => {
    await containers.pauseContainer({ ref: request.params.id }, request.call);
    return nothing(reply);
  });
  app.post<ById>("/containers/:id/unpause", async (request, reply) => {
    await containers.unpauseContainer({ ref: request.params.id }, request.call);
    return nothing(reply);
  });
  app.post<ById>("/containers/:id/rename", async (request, reply) => {
    const name = text(request.query, "name").replace(/^\//, "");
    if (name === "") throw invalidRequest("Neither old nor new names may be empty");
    await rename(request.params.id, name, deps, request.call);
    return nothing(reply);
  });
  app.delete<ById>("/containers/:id", async (request, reply) => {
    if (flag(request.query, "link")) throw invalidRequest("links are not supported");
    const force = flag(request.query, "force");
    const volumes = flag(request.query, "v");
    await engine.removeContainer({ ref: request.params.id, force, volumes }, request.call);
    return nothing(reply);
  });
}

async function rename(ref: string, name: string, deps: DockerApiDeps, call: ApiCall): Promise<void> {
  const { id, name: oldName } = await inspectContainer(ref, deps, call);
  if (oldName === name) {
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "CONTAINER_NAME_UNCHANGED",
      what: `rename container ${oldName}`,
      why: "Renaming a container with the same name as its current name",
    });
  }
  await deps.engine.renameContainer({ ref: id, name }, call);
}

/** One that removes itself does so too when it cannot be started: the client is waiting for its removal by then. */
async function start(ref: string, { containers, engine }: DockerApiDeps, call: ApiCall): Promise<boolean> {
  const { container } = await containers.inspectContainer({ ref, withSize: false }, call);
  const id = container?.id ?? ref;
  try {
    return (await engine.startContainer({ ref: id }, call)).changed;
  } catch (error) {
    const isRefused =
      isCtlError(error) && !isCtlError(error, "ABORTED", "UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED");
    if (isRefused && container?.spec?.autoRemove) {
      await engine.removeContainer({ ref: id, force: false, volumes: true }, call).catch(() => {});
    }
    throw error;
  }
}

function stopping(request: { params: ById["Params"]; query: ById["Querystring"] }) {
  const timeoutS = integer(request.query, "t");
  return { ref: request.params.id, timeoutS, signal: text(request.query, "signal") };
}
