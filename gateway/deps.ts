import type { Db } from "../services/kit/database.ts";
import type { ExitFollower } from "./after-exit.ts";
import type { Clients } from "./clients.ts";
import type { Operations } from "./operations/operation.ts";
import type { InfoDeps } from "./system/info.ts";

/** What the gateway's calls use. */
export interface GatewayDeps {
  readonly clients: Clients;
  readonly operations: Operations;
  readonly exits: ExitFollower;
  readonly db: Db;
  readonly info: InfoDeps;
}
