import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { IDEMPOTENT_METHODS } from "#proto/idempotent-methods.ts";
import { aborted, exitOnBugs, onHangup } from "../services/kit/boot.ts";
import { type ConfigValues, processSource } from "../services/kit/config.ts";
import { Database } from "../services/kit/database.ts";
import { deadline } from "../services/kit/deadlines.ts";
import { CtlError } from "../services/kit/errors.ts";
import { trimWhenIdle } from "../services/kit/idle-memory.ts";
import { shareMount } from "../services/kit/linux/shared-mount.ts";
import { kitMigrations, migrate } from "../services/kit/migrate.ts";
import { nodeId } from "../services/kit/node-id.ts";
import { createLog, type Logger } from "../services/kit/telemetry/log.ts";
import { startTelemetry } from "../services/kit/telemetry/start.ts";
import { ExitFollower } from "./after-exit.ts";
import { type Addresses, connectServices } from "./clients.ts";
import { linkDockerSocket } from "./docker-socket.ts";
import { adoptForEver } from "./operations/adopt.ts";
import type { Operations } from "./operations/operation.ts";
import { keepOwner, newOwner } from "./operations/owner.ts";
import { serveGateway } from "./serve.ts";
import { type gatewaySettings, SERVICES } from "./settings.ts";
import { claimRunDirectory, refusePrivateMounts } from "./single-instance.ts";
import { startDatabase } from "./supervisor/database.ts";
import { readyRemap } from "./supervisor/remap-user.ts";
import { type SupervisedServices, startServices } from "./supervisor/services.ts";
import { tellSystemd } from "./supervisor/systemd.ts";

export type DaemonConfig = ConfigValues<typeof gatewaySettings>;

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 40_000;

/** The whole life of a ctld: database, services, gateway up in this order, down in reverse. Containers outlive it. */
export async function runDaemon(config: DaemonConfig, reread: () => DaemonConfig, stop: AbortSignal): Promise<void> {
  const log = createLog("gateway", config["log-level"]);
  exitOnBugs(log);
  if (!config["allow-private-mount-namespace"]) await refusePrivateMounts();
  await using _claim = await claimRunDirectory(config.run);
  await mkdir(config.root, { recursive: true, mode: 0o711 });
  // before any service starts: one starts runtimes in a mount namespace of its own, others mount what these must see
  for (const directory of [config.root, config.run]) await shareMount(directory);
  await using _telemetry = await startTelemetry({
    serviceName: "ctl-gateway",
    instanceId: `${config.instance}-${process.pid}`,
    env: processSource().env,
  });
  try {
    await startAndServe(config, reread, log, stop);
  } catch (error) {
    if (!stop.aborted) throw error; // asked to stop while it started
  }
  log.info("stopped");
}

/** SIGTERM and `ctld stop` end services, then Postgres; a crash runs none of this and leaves them to the next ctld. */
async function startAndServe(
  config: DaemonConfig,
  reread: () => DaemonConfig,
  log: Logger,
  stop: AbortSignal,
): Promise<void> {
  const starting = AbortSignal.any([stop, deadline(START_TIMEOUT_MS, "start the daemon")]);
  await using down = new AsyncDisposableStack();
  const database = await startDatabase(
    { root: config.root, run: config.run, instance: config.instance, url: config["database-url"], log },
    starting,
  );
  down.defer(() => database.stop(deadline(STOP_TIMEOUT_MS, "stop Postgres")));
  keepUntilDown(down, (signal) => database.keep(signal));
  const services = await servicesOf(config, database.urlFor, log, starting);
  const { supervised } = services;
  if (supervised !== undefined) {
    down.defer(() => supervised.stop());
    keepUntilDown(down, (signal) => supervised.keep(signal));
  }
  const db = down.use(new Database({ url: database.urlFor("gateway"), schema: "gateway" }));
  await migrate(
    db,
    [kitMigrations, { directory: new URL("./migrations/", import.meta.url), table: "migrations" }],
    log,
  );
  await serveUntilStopped({ config, reread, db, log, stop, services });
}

/** Runs `keep` beside everything else; on the way down it ends before what it keeps is stopped. */
function keepUntilDown(down: AsyncDisposableStack, keep: (signal: AbortSignal) => Promise<void>): void {
  const keeping = new AbortController();
  const kept = keep(keeping.signal);
  down.defer(async () => {
    keeping.abort();
    await kept;
  });
}

interface Services {
  readonly addresses: Addresses;
  /** Undefined: they run by themselves. */
  readonly supervised: SupervisedServices | undefined;
}

async function servicesOf(
  config: DaemonConfig,
  databaseUrl: (service: string) => string,
  log: Logger,
  signal: AbortSignal,
): Promise<Services> {
  const addresses = {
    images: config["images-addr"],
    containers: config["containers-addr"],
    networks: config["networks-addr"],
    volumes: config["volumes-addr"],
  };
  const given = SERVICES.filter((name) => addresses[name].length > 0);
  if (given.length === SERVICES.length) return { addresses, supervised: undefined };
  if (given.length > 0) throw halfGiven(SERVICES.filter((name) => addresses[name].length === 0));
  await readyRemap(config["userns-remap"], signal);
  const supervised = await startServices(
    {
      config: config.config,
      env: processSource().env,
      root: config.root,
      run: config.run,
      instance: config.instance,
      logLevel: config["log-level"],
      scale: config.scale,
      databaseUrl,
      log,
    },
    signal,
  );
  return { addresses: supervised.addresses, supervised };
}

function halfGiven(missing: readonly string[]): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "CONFIG_INVALID",
    what: "connect to the services",
    why: `there is no address for ${missing.join(", ")}`,
    fix: "give CTL_IMAGES_ADDR, CTL_CONTAINERS_ADDR, CTL_NETWORKS_ADDR and CTL_VOLUMES_ADDR, or none of them",
  });
}

interface Serving {
  readonly config: DaemonConfig;
  readonly reread: () => DaemonConfig;
  readonly db: Database;
  readonly log: Logger;
  readonly stop: AbortSignal;
  readonly services: Services;
}

async function serveUntilStopped({ config, reread, db, log, stop, services }: Serving): Promise<void> {
  const { supervised } = services;
  const background = new AbortController();
  using connections = connectServices(services.addresses, IDEMPOTENT_METHODS);
  const owner = newOwner();
  const held = keepOwner(owner, db, log, background.signal);
  await held.ready;
  const operations: Operations = { db, log, owner, active: new Set(), stopping: background.signal };
  const exits = new ExitFollower(connections.clients, operations, log, background.signal);
  const tasks = [held.ended, adoptForEver(connections.clients, operations, background.signal), exits.follow()];
  const socket = join(config.run, "ctl.sock");
  const gateway = await serveGateway({
    socket,
    group: config.group,
    connections,
    operations,
    exits,
    db,
    log,
    info: {
      clients: connections.clients,
      nodeId: await nodeId(config.root),
      instance: config.instance,
      root: config.root,
      registries: config.registries,
      insecureRegistries: config["insecure-registries"],
      services: (signal) => replicasOf(services, signal),
    },
  });
  const dockerSocket = config["docker-socket"];
  await using _link = dockerSocket === "" ? undefined : await linkDockerSocket(dockerSocket, socket);
  log.info({ address: socket }, "ctld ready");
  using _trim = trimWhenIdle();
  await tellSystemd(processSource().env, log);
  using _reload = onHangup(async () => {
    reread(); // a configuration that cannot be read stops here, before anybody took half of it
    for (const name of SERVICES) for (const replica of supervised?.replicas[name] ?? []) replica.hangUp();
    log.info("configuration reloaded");
  }, log);
  await aborted(stop);
  log.info("stopping");
  background.abort();
  await gateway[Symbol.asyncDispose]();
  await rm(socket, { force: true });
  await Promise.all(tasks);
}

async function replicasOf({ addresses, supervised }: Services, signal: AbortSignal) {
  return Promise.all(
    SERVICES.map(async (name) => ({
      name,
      replicas:
        supervised === undefined
          ? addresses[name].map((address) => ({ address, pid: 0, isServing: true }))
          : await Promise.all(
              supervised.replicas[name].map(async (replica) => ({
                address: `unix:${replica.socket}`,
                pid: replica.pid,
                isServing: await replica.isServing(signal),
              })),
            ),
    })),
  );
}
