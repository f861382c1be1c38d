import { type ConfigValues, loadConfig, processSource, type Settings } from "./config.ts";
import { Database } from "./database.ts";
import { deadline, sleep } from "./deadlines.ts";
import { asCtlError } from "./errors.ts";
import { type BoundService, createServer, listen } from "./grpc/server.ts";
import { trimWhenIdle } from "./idle-memory.ts";
import { kitMigrations, migrate } from "./migrate.ts";
import { nodeId } from "./node-id.ts";
import { createLog, type Logger } from "./telemetry/log.ts";
import { startTelemetry } from "./telemetry/start.ts";
import { EventFeed } from "./watch.ts";

/** What a service is made of; `main.ts` says it and nothing else. */
export interface ServiceSpec<S extends Settings> {
  /** Also its schema and its role: `images` → schema `images`. */
  readonly name: string;
  readonly settings: S;
  readonly migrations: URL;
  start(context: BootContext<S>): Promise<RunningService<S>>;
}

export interface BootContext<S extends Settings> {
  readonly config: ConfigValues<S>;
  readonly db: Database;
  readonly feed: EventFeed;
  readonly log: Logger;
  readonly nodeId: string;
  /** Aborts when the service stops: for its background work. */
  readonly signal: AbortSignal;
}

/** Disposing it ends its background work and frees what it holds in this process; what lives on the host stays. */
export interface RunningService<S extends Settings> extends AsyncDisposable {
  readonly services: readonly BoundService[];
  reload?(config: ConfigValues<S>): Promise<void>;
}

const DATABASE_WAIT_MS = 60_000;
const DATABASE_RETRY_MS = 100;

/** Runs one service as this process, from its configuration to its end. Never returns before the process is to end. */
export async function boot<S extends Settings>(spec: ServiceSpec<S>): Promise<void> {
  const read = () => loadConfig(spec.settings, processSource()).values;
  const config = read();
  const log = createLog(spec.name, config["log-level"]);
  exitOnBugs(log);
  const stop = stopSignal();
  try {
    await using telemetry = await startTelemetry({
      serviceName: `ctl-${spec.name}`,
      instanceId: `${config.instance}-${process.pid}`,
      env: processSource().env,
    });
    log.debug({ exporting: telemetry.isExporting }, "telemetry started");
    await serve(spec, config, { log, stop, read });
  } catch (error) {
    log.fatal({ err: asCtlError(error, `run the ${spec.name} service`) }, "service failed");
    process.exitCode = 1;
  }
  // what is left now is a timer or a socket that some library forgot; nobody waits for it
  setTimeout(() => process.exit(), 500).unref();
}

interface Surroundings<S extends Settings> {
  readonly log: Logger;
  readonly stop: AbortSignal;
  readonly read: () => ConfigValues<S>;
}

async function serve<S extends Settings>(
  spec: ServiceSpec<S>,
  config: ConfigValues<S>,
  { log, stop, read }: Surroundings<S>,
): Promise<void> {
  await using db = new Database({ url: config["database-url"], schema: spec.name });
  await databaseReady(db, spec, log, stop);
  await using feed = new EventFeed(db);
  const background = new AbortController();
  const context = { config, db, feed, log, nodeId: await nodeId(config.root), signal: background.signal };
  await using running = await spec.start(context);
  // before `running` is disposed, which waits for the background work: also when the address is refused
  using _background = { [Symbol.dispose]: () => background.abort() };
  const server = createServer(running.services);
  await listen(server.server, config.listen);
  server.health.setServing(true);
  log.info({ address: config.listen }, "service ready");
  using _trim = trimWhenIdle();
  using _reload = onHangup(async () => {
    await running.reload?.(read());
    log.info("configuration reloaded");
  }, log);
  await aborted(stop);
  log.info("service stopping");
  background.abort();
  await feed[Symbol.asyncDispose](); // watchers would stay for ever; they go on at another replica
  await server.drain(config["drain-timeout-ms"]);
}

async function databaseReady<S extends Settings>(
  db: Database,
  spec: ServiceSpec<S>,
  log: Logger,
  stop: AbortSignal,
): Promise<void> {
  const ends = AbortSignal.any([stop, deadline(DATABASE_WAIT_MS, "reach the database")]);
  for (;;) {
    try {
      return await migrate(db, [kitMigrations, { directory: spec.migrations, table: "migrations" }], log);
    } catch (error) {
      if (asCtlError(error, "migrate").code !== "UNAVAILABLE" || ends.aborted) throw error;
      await sleep(DATABASE_RETRY_MS, ends);
    }
  }
}

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  return controller.signal;
}

export function onHangup(reload: () => Promise<void>, log: Logger): Disposable {
  const onSignal = () => {
    reload().catch((error: unknown) => log.error({ err: error }, "configuration not reloaded; the old one stays"));
  };
  process.on("SIGHUP", onSignal);
  return { [Symbol.dispose]: () => process.off("SIGHUP", onSignal) };
}

/** A bug must not leave a half-working process: it is logged whole and the supervisor starts a new one. */
export function exitOnBugs(log: Logger): void {
  const fail = (error: unknown) => {
    log.fatal({ err: error }, "unexpected error, ending");
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
