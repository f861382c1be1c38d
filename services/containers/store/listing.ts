import type { Db } from "../../kit/database.ts";
import type { LabelFilter } from "../../kit/filters.ts";
import type { HealthStatus } from "../health/verdict.ts";
import type { ContainerState } from "../lifecycle.ts";
import type { Given } from "../run/given.ts";

/** A container as a list needs it: few and narrow columns, since a list may have thousands. */
export interface ListedRow extends ListedVersion {
  readonly name: string;
  readonly state: ContainerState;
  readonly image: string;
  readonly image_id: string;
  /** Microseconds since 1970. */
  readonly created_us: number;
  readonly started_us: number | null;
  readonly finished_us: number | null;
  readonly exit_code: number | null;
  readonly run: number;
  readonly pid: number;
  readonly restart_count: number;
  readonly has_sandbox: boolean;
  readonly given: Given | null;
  readonly summary: Buffer;
  /** Null: it has no health check. */
  readonly health: HealthStatus | null;
}

export interface ListRange {
  /** Undefined: whatever their state. */
  readonly states: readonly ContainerState[] | undefined;
  readonly label: LabelFilter | undefined;
  /** Behind this container of a list that is newest first. */
  readonly after: { readonly createdUs: number; readonly id: string } | undefined;
  /** Undefined: all. */
  readonly limit: number | undefined;
}

/** What tells whether a container looks in a list as it did before. */
export interface ListedVersion {
  readonly id: string;
  readonly version: string;
}

/** Newest first: which there are, and in which version. */
export async function listedVersions(db: Db, node: string, range: ListRange): Promise<ListedVersion[]> {
  const { states, label, after, limit } = range;
  const { rows } = await db.query<ListedVersion>(
    `select c.id, concat(c.xmin, h.status) as version
       from containers c left join health h on h.container_id = c.id
      where c.node = $1
        and ($2::text[] is null or c.state = any($2))
        and ($3::text[] is null or c.labels ?& $3)
        and ($4::jsonb[] is null or c.labels @> all($4))
        and ($5::float8 is null or (extract(epoch from c.created_at) * 1000000)::float8 < $5
             or ((extract(epoch from c.created_at) * 1000000)::float8 = $5 and c.id > $6))
      order by c.created_at desc, c.id limit $7`,
    [
      node,
      states ?? null,
      label?.keys ?? null,
      label?.pairs.map((pair) => JSON.stringify(pair)) ?? null,
      after?.createdUs ?? null,
      after?.id ?? "",
      limit ?? null,
    ],
  );
  return rows;
}

/** These containers, in no order; those that are gone by now are missing. */
export async function listedRows(db: Db, ids: readonly string[]): Promise<ListedRow[]> {
  if (ids.length === 0) return [];
  const { rows } = await db.query<ListedRow>(
    `select c.id, c.name, c.state, c.image, c.image_id, c.exit_code, c.run, c.pid, c.restart_count, c.has_sandbox,
            c.given, c.summary, h.status as health, concat(c.xmin, h.status) as version,
            (extract(epoch from c.created_at) * 1000000)::float8 as created_us,
            (extract(epoch from c.started_at) * 1000000)::float8 as started_us,
            (extract(epoch from c.finished_at) * 1000000)::float8 as finished_us
       from containers c left join health h on h.container_id = c.id
      where c.id = any($1)`,
    [ids],
  );
  return rows;
}

export async function createdUsOf(db: Db, id: string): Promise<number | undefined> {
  const { rows } = await db.query<{ us: number }>(
    "select (extract(epoch from created_at) * 1000000)::float8 as us from containers where id = $1",
    [id],
  );
  return rows[0]?.us;
}

/** Where a list goes on behind these: at the last of them that is still there. */
export async function oldestOf(db: Db, ids: readonly string[]): Promise<{ us: number; id: string } | undefined> {
  if (ids.length === 0) return undefined;
  const { rows } = await db.query<{ us: number; id: string }>(
    `select id, (extract(epoch from created_at) * 1000000)::float8 as us from containers where id = any($1)
      order by created_at, id desc limit 1`,
    [ids],
  );
  return rows[0];
}

/** What containers' roots are made of. */
export async function layersOf(
  db: Db,
  ids: readonly string[],
): Promise<{ readonly id: string; readonly layers: string[]; readonly layers_directory: string }[]> {
  type Row = { id: string; layers: string[]; layers_directory: string };
  const { rows } = await db.query<Row>("select id, layers, layers_directory from containers where id = any($1)", [ids]);
  return rows;
}

/** What the caller asked for and what the image said, of rows that have no summary yet. */
export async function unsummarized(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, { readonly wish: Buffer; readonly image_config: Buffer; readonly command: string[] }>> {
  type Row = { id: string; wish: Buffer; image_config: Buffer; command: string[] };
  if (ids.length === 0) return new Map();
  const { rows } = await db.query<Row>("select id, wish, image_config, command from containers where id = any($1)", [
    ids,
  ]);
  return new Map(rows.map((row) => [row.id, row]));
}
