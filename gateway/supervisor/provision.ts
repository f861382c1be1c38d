import pg from "pg";
import { SERVICES } from "../settings.ts";

const ROLES = [...SERVICES, "gateway"] as const;

/**
 * One role and one schema per service in the embedded database, so that none can touch another's rows. Idempotent.
 * `url` is the superuser's.
 */
export async function provision(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock(hashtextextended('ctl.provision', 0))");
    for (const role of ROLES) {
      const { rows } = await client.query("select 1 from pg_roles where rolname = $1", [roleOf(role)]);
      if (rows.length === 0) await client.query(`create role ${roleOf(role)} login`);
      await client.query(`create schema if not exists ${role} authorization ${roleOf(role)}`);
      const { rows: databases } = await client.query<{ name: string }>("select current_database() as name");
      await client.query(`grant create on database ${databases[0]?.name} to ${roleOf(role)}`);
    }
  } finally {
    await client.end();
  }
}

export function roleOf(service: string): string {
  return `ctl_${service}`;
}

/** The same server and database, with a service's role. */
export function asRole(url: string, service: string): string {
  const parsed = new URL(url);
  parsed.username = roleOf(service);
  return parsed.href;
}
