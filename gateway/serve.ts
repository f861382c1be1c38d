import { ServerCredentials } from "@grpc/grpc-js";
import { GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import type { Database } from "../services/kit/database.ts";
import { implement } from "../services/kit/grpc/handlers.ts";
import { createServer } from "../services/kit/grpc/server.ts";
import type { Logger } from "../services/kit/telemetry/log.ts";
import { named, peerReader } from "./access/peer.ts";
import type { ExitFollower } from "./after-exit.ts";
import type { Connections } from "./clients.ts";
import { createDockerApi } from "./docker-api/server.ts";
import { listenForBoth } from "./listen.ts";
import type { Operations } from "./operations/operation.ts";
import { passThrough } from "./passthrough.ts";
import { gatewayHandlers } from "./service.ts";
import type { InfoDeps } from "./system/info.ts";
import { CTL_VERSION } from "./system/version.ts";

export interface GatewaySettings {
  readonly socket: string;
  readonly group: string;
  readonly connections: Connections;
  readonly operations: Operations;
  readonly exits: ExitFollower;
  readonly db: Database;
  readonly info: InfoDeps;
  readonly log: Logger;
}

const DRAIN_TIMEOUT_MS = 2_000;

/** The gateway on its socket, serving; disposing it stops accepting, lets short calls end, and cuts the rest. */
export async function serveGateway(settings: GatewaySettings): Promise<AsyncDisposable> {
  const { connections, operations, exits, db, log, info } = settings;
  const deps = { clients: connections.clients, operations, exits, db, info };
  const engine = gatewayHandlers(deps);
  const implementation = implement(GatewayService, engine, log);
  const { server, health, drain } = createServer([
    { definition: GatewayService, implementation },
    ...passThrough(connections),
  ]);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const docker = createDockerApi({ ...connections.clients, engine, log, version: CTL_VERSION });
  const peerOf = peerReader();
  const listener = await listenForBoth(settings.socket, settings.group, {
    grpc: (socket) => injector.injectConnection(named(socket, peerOf(socket))),
    http: (socket) => docker.handleConnection(socket, peerOf(socket)),
  });
  health.setServing(true);
  return {
    [Symbol.asyncDispose]: async () => {
      listener.server.close();
      await Promise.all([drain(DRAIN_TIMEOUT_MS), docker[Symbol.asyncDispose]()]);
      injector.destroy();
    },
  };
}
