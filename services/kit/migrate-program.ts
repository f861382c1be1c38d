import { runner } from "node-pg-migrate";
import pg from "pg";

/**
 * The program that `migrate` starts: applies migration sets to a schema and ends. A process of its own, since the
 * library's 20 MB are needed once and would stay in the service for ever. Its argument is a JSON {@link Assignment}.
 */
export interface Assignment {
  readonly url: string;
  readonly schema: string;
  readonly sets: readonly { readonly directory: string; readonly table: string }[];
}

async function run({ url, schema, sets }: Assignment): Promise<void> {
  const client = new pg.Client({ connectionString: url, options: `-c search_path=${schema} -c lock_timeout=5000` });
  await client.connect();
  try {
    for (const { directory, table } of sets) {
      await runner({
        dbClient: client,
        dir: directory,
        direction: "up",
        schema,
        migrationsSchema: schema,
        migrationsTable: table,
        checkOrder: false,
        noLock: true, // the starter holds ours
        log: () => {},
      });
    }
  } finally {
    await client.end();
  }
}

const assignment: Assignment = JSON.parse(process.argv[2] ?? "");
await run(assignment);
