import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { runCommand } from "./command.ts";
import type { Database } from "./database.ts";
import { deadline } from "./deadlines.ts";
import { CtlError } from "./errors.ts";
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
 * older binary does not have are no error: migrations are additive. With nothing to do it costs three queries.
 * Throws INTERNAL MIGRATION_FAILED with the database's words; UNAVAILABLE DATABASE_UNAVAILABLE.
 */
export async function migrate(db: Database, sets: readonly MigrationSet[], log: Logger): Promise<void> {
  const session = await db.session();
  try {
    await session.query("select pg_advisory_lock(hashtextextended('ctl.migrate.' || $1, 0))", [db.schema]);
    await session.query(`create schema if not exists ${db.schema}`);
    const missing: string[] = [];
    for (const set of sets) missing.push(...(await missingMigrations(session, db.schema, set)));
    if (missing.length === 0) return;
    await runProgram(db, sets);
    log.info({ schema: db.schema, migrations: missing }, "database migrated");
  } finally {
    await session.end();
  }
}

const PROGRAM = new URL("./migrate-program.ts", import.meta.url);
const PROGRAM_TIMEOUT_MS = 120_000;

async function runProgram(db: Database, sets: readonly MigrationSet[]): Promise<void> {
  const assignment = {
    url: db.url,
    schema: db.schema,
    sets: sets.map(({ directory, table }) => ({ directory: fileURLToPath(directory), table })),
  };
  const { exitCode, stderr } = await runCommand(
    process.execPath,
    [fileURLToPath(PROGRAM), JSON.stringify(assignment)],
    {
      signal: deadline(PROGRAM_TIMEOUT_MS, `migrate the schema ${db.schema}`),
    },
  );
  if (exitCode === 0) return;
  throw new CtlError("INTERNAL", {
    reason: "MIGRATION_FAILED",
    what: `migrate the schema ${db.schema}`,
    why: /error: .*/i.exec(stderr)?.[0] ?? `the migration program ended with ${exitCode}`,
    fix: "this is a bug of this version, or somebody changed the schema: report it with the daemon's log",
    cause: new Error(stderr.slice(0, 4000)),
  });
}

async function missingMigrations(session: pg.Client, schema: string, set: MigrationSet): Promise<string[]> {
  const files = (await readdir(fileURLToPath(set.directory))).filter((name) => name.endsWith(".sql"));
  const done = await appliedMigrations(session, schema, set.table);
  return files
    .map((name) => name.replace(/\.sql$/, ""))
    .filter((name) => !done.has(name))
    .sort();
}

async function appliedMigrations(session: pg.Client, schema: string, table: string): Promise<Set<string>> {
  const exists = await session.query("select to_regclass($1) is not null as yes", [`${schema}.${table}`]);
  if (exists.rows[0]?.yes !== true) return new Set();
  const { rows } = await session.query<{ name: string }>(`select name from ${schema}.${table}`);
  return new Set(rows.map((row) => row.name));
}
