import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import type { Database } from "./database.ts";
import type { Logger } from "./telemetry/log.ts";

export interface MigrationSet {
  /** Directory of numbered SQL files. */
  readonly directory: URL;
  /** The table that says which have run. */
  readonly table: string;
}

/** What the kit itself keeps in every service's schema: the outbox and the tombstones of undone operations. */
export const kitMigrations: MigrationSet = {
  directory: new URL("./migrations/", import.meta.url),
  table: "kit_migrations",
};

/**
 * Brings the schema up to date, one process at a time (advisory lock), each file in its own transaction. Files that an
 * older binary does not have are no error: migrations are additive. The library is loaded only when there is work.
 */
export async function migrate(db: Database, sets: readonly MigrationSet[], log: Logger): Promise<void> {
  const session = await db.session();
  try {
    await session.query("select pg_advisory_lock(hashtextextended('ctl.migrate.' || $1, 0))", [db.schema]);
    await session.query(`create schema if not exists ${db.schema}`);
    for (const set of sets) await migrateSet(session, db.schema, set, log);
  } finally {
    await session.end();
  }
}

async function migrateSet(session: pg.Client, schema: string, set: MigrationSet, log: Logger): Promise<void> {
  const directory = fileURLToPath(set.directory);
  const files = (await readdir(directory)).filter((name) => name.endsWith(".sql"));
  const done = await appliedMigrations(session, schema, set.table);
  const missing = files.map((name) => name.replace(/\.sql$/, "")).filter((name) => !done.has(name));
  if (missing.length === 0) return;
  const { runner } = await import("node-pg-migrate");
  await runner({
    dbClient: session,
    dir: directory,
    direction: "up",
    schema,
    migrationsSchema: schema,
    migrationsTable: set.table,
    checkOrder: false,
    noLock: true,
    log: () => {},
  });
  log.info({ schema, migrations: missing.sort() }, "database migrated");
}

async function appliedMigrations(session: pg.Client, schema: string, table: string): Promise<Set<string>> {
  const exists = await session.query("select to_regclass($1) is not null as yes", [`${schema}.${table}`]);
  if (exists.rows[0]?.yes !== true) return new Set();
  const { rows } = await session.query<{ name: string }>(`select name from ${schema}.${table}`);
  return new Set(rows.map((row) => row.name));
}
