import type { Db } from "../../kit/database.ts";
import type { Digest } from "../digest.ts";

export interface LayerRow {
  readonly name: string;
  readonly key: string | null;
  readonly diff_id: Digest;
}

/** A layer of this node that is ready, by diff id (self-contained) or chain id. */
/** Of an image's extracted layers, lowest first. */
export async function layerSizesOf(db: Db, imageId: string): Promise<number[]> {
  const { rows } = await db.query<{ size_bytes: string }>(
    `select l.size_bytes from placed_layers p join layers l on l.node = p.node and l.name = p.name
      where p.image_id = $1 and p.node = (select min(node) from placed_layers where image_id = $1) order by p.position`,
    [imageId],
  );
  return rows.map((row) => Number(row.size_bytes));
}

export async function readyLayer(db: Db, node: string, diffId: string, chainId: string): Promise<LayerRow | undefined> {
  const { rows } = await db.query<LayerRow>(
    "select name, key, diff_id from layers where node = $1 and state = 'ready' and key in ($2, $3) limit 1",
    [node, diffId, chainId],
  );
  return rows[0];
}

/**
 * A name for a directory to fill, base 36 and short (overlay's options end at one page), its row written before the
 * directory exists.
 */
export async function reserveLayer(db: Db, node: string, diffId: string, filledBy: string): Promise<string> {
  const { rows } = await db.query<{ number: string }>("select nextval('layer_names')::text as number");
  const name = BigInt(rows[0]?.number ?? 0).toString(36);
  await db.query("insert into layers (node, name, filled_by, diff_id) values ($1, $2, $3, $4)", [
    node,
    name,
    filledBy,
    diffId,
  ]);
  return name;
}

export interface FilledLayer {
  readonly name: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly diskBytes: number;
}

/** Throws the violated constraint layers_key when another one with this key became ready meanwhile. */
export async function layerReady(db: Db, node: string, layer: FilledLayer): Promise<void> {
  await db.query(
    `update layers set state = 'ready', key = $3, size_bytes = $4, disk_bytes = $5
      where node = $1 and name = $2 and state = 'filling'`,
    [node, layer.name, layer.key, layer.sizeBytes, layer.diskBytes],
  );
}

export async function forgetLayer(db: Db, node: string, name: string): Promise<void> {
  await db.query("delete from layers where node = $1 and name = $2", [node, name]);
}

/** Layers that nothing refers to, no longer to be found: their directories can go, then their rows. */
export async function condemnUnused(db: Db, node: string): Promise<void> {
  await db.query(
    `update layers l set state = 'condemned'
      where node = $1 and state = 'ready'
        and not exists (select 1 from placed_layers p where p.node = l.node and p.name = l.name)`,
    [node],
  );
}

export async function condemnedLayers(db: Db, node: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>("select name from layers where node = $1 and state = 'condemned'", [
    node,
  ]);
  return rows.map((row) => row.name);
}

export async function fillingLayers(db: Db, node: string): Promise<{ name: string; filled_by: string }[]> {
  const { rows } = await db.query<{ name: string; filled_by: string }>(
    "select name, filled_by from layers where node = $1 and state = 'filling'",
    [node],
  );
  return rows;
}

export async function layerNames(db: Db, node: string): Promise<Set<string>> {
  const { rows } = await db.query<{ name: string }>("select name from layers where node = $1", [node]);
  return new Set(rows.map((row) => row.name));
}

export interface ImageLayer {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly mediaType: string;
  readonly diffId: Digest;
}

export async function setImageLayers(db: Db, imageId: string, layers: readonly ImageLayer[]): Promise<void> {
  await db.query(
    `insert into image_layers (image_id, position, blob_digest, blob_bytes, media_type, diff_id)
     select $1, p, d, b, m, f
       from unnest($2::int[], $3::text[], $4::bigint[], $5::text[], $6::text[]) as t (p, d, b, m, f)
     on conflict (image_id, position) do nothing`,
    [
      imageId,
      layers.map((_, index) => index),
      layers.map((layer) => layer.digest),
      layers.map((layer) => layer.sizeBytes),
      layers.map((layer) => layer.mediaType),
      layers.map((layer) => layer.diffId),
    ],
  );
}

export async function placeLayers(db: Db, node: string, imageId: string, names: readonly string[]): Promise<void> {
  await db.query(
    `insert into placed_layers (node, image_id, position, name)
     select $1, $2, p, n from unnest($3::int[], $4::text[]) as t (p, n)
     on conflict (node, image_id, position) do update set name = excluded.name`,
    [node, imageId, names.map((_, index) => index), names],
  );
}

/** Directory names, lowest layer first. */
export async function placedLayers(db: Db, node: string, imageId: string): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    "select name from placed_layers where node = $1 and image_id = $2 order by position",
    [node, imageId],
  );
  return rows.map((row) => row.name);
}

export interface Usage {
  readonly layer_bytes: string;
  readonly blob_bytes: string;
  readonly image_count: number;
  readonly layer_count: number;
}

export async function usage(db: Db, node: string): Promise<Usage> {
  const { rows } = await db.query<Usage>(
    `select coalesce(sum(disk_bytes), 0)::text as layer_bytes, count(*)::int as layer_count,
            (select coalesce(sum(bytes), 0)::text
               from (select distinct on (blob_digest) blob_bytes as bytes from image_layers) b) as blob_bytes,
            (select count(*)::int from images) as image_count
       from layers where node = $1 and state = 'ready'`,
    [node],
  );
  return rows[0] ?? { layer_bytes: "0", blob_bytes: "0", image_count: 0, layer_count: 0 };
}

/** What the layers weigh to which no images but these refer. */
export async function bytesOnlyOf(db: Db, node: string, imageIds: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ bytes: string }>(
    `select coalesce(sum(disk_bytes), 0)::text as bytes from layers l
      where node = $1
        and exists (select from placed_layers p where p.node = l.node and p.name = l.name and p.image_id = any($2))
        and not exists (select from placed_layers p where p.node = l.node and p.name = l.name and p.image_id <> all($2))`,
    [node, imageIds],
  );
  return Number(rows[0]?.bytes ?? 0);
}

/**
 * Until the transaction ends: readers of one kind together, or one writer. Who places layers reads, who condemns unused
 * ones writes, so that none is placed in the moment in which it is condemned.
 */
export async function lockPlacement(db: Db, node: string, mode: "placing" | "condemning"): Promise<void> {
  const lock = mode === "placing" ? "pg_advisory_xact_lock_shared" : "pg_advisory_xact_lock";
  await db.query(`select ${lock}(hashtextextended('images.placement.' || $1, 0))`, [node]);
}

/** How many of these layers are ready. */
export async function countReady(db: Db, node: string, names: readonly string[]): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    "select count(*)::int as count from layers where node = $1 and name = any($2) and state = 'ready'",
    [node, names],
  );
  return rows[0]?.count ?? 0;
}
