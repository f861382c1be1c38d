import { join } from "node:path";
import { IDEMPOTENT_METHODS } from "#proto/idempotent-methods.ts";
import type { BootContext, RunningService } from "../../services/kit/boot.ts";
import { type ConfigValues, loadConfig, type Settings } from "../../services/kit/config.ts";
import type { Database } from "../../services/kit/database.ts";
import { Channel, connect, type ServiceClient } from "../../services/kit/grpc/client.ts";
import { createServer, listen } from "../../services/kit/grpc/server.ts";
import { nodeId } from "../../services/kit/node-id.ts";
import { createLog } from "../../services/kit/telemetry/log.ts";
import { EventFeed } from "../../services/kit/watch.ts";
import { testDatabase } from "./postgres.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A service in this process, as `boot` would run it, with a database and directories of its own. */
export interface ServiceInProcess extends AsyncDisposable {
  readonly db: Database;
  readonly databaseUrl: string;
  readonly node: string;
  /** Its directory of state. */
  readonly root: string;
  /** A client over the service's socket. */
  client<D extends object>(definition: D): ServiceClient<D>;
  /** Another replica: same database, same directories, another socket; it ends with this one at the latest. */
  replica(): Promise<Replica>;
}

export interface Replica extends AsyncDisposable {
  client<D extends object>(definition: D): ServiceClient<D>;
}

export interface ServiceUnderTest<S extends Settings> {
  readonly name: string;
  readonly settings: S;
  start(context: BootContext<S>): Promise<RunningService<S>>;
}

/** @param flags more of the service's command line, as `--pull-parallelism=2`. */
export async function serviceInProcess<S extends Settings>(
  service: ServiceUnderTest<S>,
  flags: readonly string[] = [],
): Promise<ServiceInProcess> {
  await using undo = new AsyncDisposableStack();
  const directory = undo.use(await temporaryDirectory(service.name));
  const database = undo.use(await testDatabase(service.name));
  const root = join(directory.path, "root");
  const argv = [`--root=${root}`, `--run=${join(directory.path, "run")}`, `--database-url=${database.url}`, ...flags];
  const config = loadConfig(service.settings, { argv: [...argv, "--config=/dev/null"], env: {} }).values;
  let replicas = 0;
  const replica = async () => {
    replicas += 1;
    return startReplica(service, config, database.db, join(directory.path, `${replicas}.sock`));
  };
  const first = undo.use(await replica());
  const node = await nodeId(root);
  const owned = undo.move();
  return {
    db: database.db,
    databaseUrl: database.url,
    node,
    root,
    client: first.client,
    replica: async () => owned.use(await replica()),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startReplica<S extends Settings>(
  service: ServiceUnderTest<S>,
  config: ConfigValues<S>,
  db: Database,
  socket: string,
): Promise<Replica> {
  await using undo = new AsyncDisposableStack();
  const background = new AbortController();
  const feed = undo.use(new EventFeed(db));
  const log = createLog(service.name, "fatal");
  const context = { config, db, feed, log, nodeId: await nodeId(config.root), signal: background.signal };
  const running = undo.use(await service.start(context));
  undo.defer(() => background.abort());
  const server = createServer(running.services);
  undo.defer(() => server.server.forceShutdown());
  await listen(server.server, `unix:${socket}`);
  server.health.setServing(true);
  const channel = undo.use(new Channel([`unix:${socket}`], IDEMPOTENT_METHODS));
  const owned = undo.move();
  return {
    client: (definition) => connect(definition, channel),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
