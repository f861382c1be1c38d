import type { Db } from "../../kit/database.ts";
import type { Digest } from "../digest.ts";
import type { ImageConfig } from "../image-config.ts";

export interface ImageRow {
  readonly id: Digest;
  readonly manifest_digest: Digest;
  readonly config: ImageConfig;
  readonly created_at: Date | null;
  readonly tagged_at: Date;
  /** Full names with their tags: docker.io/library/nginx:latest. */
  readonly tags: string[];
  /** Full names with their digests: docker.io/library/nginx@sha256:… */
  readonly repo_digests: string[];
  readonly size_bytes: string;
  readonly lease_count: number;
}

/** What every read answers: the row, its names, its weight and how many hold it. */
const SELECT = `
  select i.id, i.manifest_digest, i.config, i.created_at, i.tagged_at,
         array(select t.name || ':' || t.tag from tags t where t.image_id = i.id order by 1) as tags,
         array(select r.name || '@' || r.digest from repo_digests r where r.image_id = i.id order by 1) as repo_digests,
         (select coalesce(sum(l.size_bytes), 0) from placed_layers p
            join layers l on l.node = p.node and l.name = p.name
           where p.image_id = i.id and p.node = (select min(node) from placed_layers where image_id = i.id)) as size_bytes,
         (select count(*) from leases s where s.image_id = i.id)::int as lease_count
    from images i`;

export async function imageById(db: Db, id: string): Promise<ImageRow | undefined> {
  const { rows } = await db.query<ImageRow>(`${SELECT} where i.id = $1`, [id]);
  return rows[0];
}

export async function imageByTag(db: Db, name: string, tag: string): Promise<ImageRow | undefined> {
  const { rows } = await db.query<ImageRow>(
    `${SELECT} where i.id = (select image_id from tags where name = $1 and tag = $2)`,
    [name, tag],
  );
  return rows[0];
}

/** By the digest under which a repository had it. */
export async function imageByRepoDigest(db: Db, name: string, digest: string): Promise<ImageRow | undefined> {
  const { rows } = await db.query<ImageRow>(
    `${SELECT} where i.id = (select image_id from repo_digests where name = $1 and digest = $2 limit 1)`,
    [name, digest],
  );
  return rows[0];
}

/** At most two: more than one means that the prefix (hex digits, without the algorithm) is ambiguous. */
export async function imagesByIdPrefix(db: Db, prefix: string): Promise<ImageRow[]> {
  const { rows } = await db.query<ImageRow>(`${SELECT} where i.id like 'sha256:' || $1 || '%' limit 2`, [prefix]);
  return rows;
}

/** Newest first. */
export async function allImages(db: Db): Promise<ImageRow[]> {
  const { rows } = await db.query<ImageRow>(`${SELECT} order by i.created_at desc nulls last, i.id`);
  return rows;
}

export interface NewImage {
  readonly id: Digest;
  readonly manifestDigest: Digest;
  readonly config: ImageConfig;
  readonly createdAt: Date | undefined;
}

export async function upsertImage(db: Db, image: NewImage): Promise<void> {
  await db.query(
    `insert into images (id, manifest_digest, config, labels, created_at) values ($1, $2, $3, $4, $5)
     on conflict (id) do update set pulled_at = now(), manifest_digest = excluded.manifest_digest`,
    [
      image.id,
      image.manifestDigest,
      JSON.stringify(image.config),
      JSON.stringify(image.config.labels),
      image.createdAt ?? null,
    ],
  );
}

export async function deleteImage(db: Db, id: string): Promise<boolean> {
  const { rowCount } = await db.query("delete from images where id = $1", [id]);
  return rowCount === 1;
}

export async function addRepoDigest(db: Db, name: string, digest: string, imageId: string): Promise<void> {
  await db.query("insert into repo_digests (name, digest, image_id) values ($1, $2, $3) on conflict do nothing", [
    name,
    digest,
    imageId,
  ]);
}

/** Sets the tag, taking it from whatever image had it. Answers the image that had it before. */
export async function setTag(db: Db, name: string, tag: string, imageId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ before: string | null }>(
    `with before as (select image_id from tags where name = $1 and tag = $2)
     insert into tags (name, tag, image_id) values ($1, $2, $3)
     on conflict (name, tag) do update set image_id = excluded.image_id, tagged_at = now()
     returning (select image_id from before) as before`,
    [name, tag, imageId],
  );
  await db.query("update images set tagged_at = now() where id = $1", [imageId]);
  return rows[0]?.before ?? undefined;
}

export async function removeTag(db: Db, name: string, tag: string): Promise<void> {
  await db.query("delete from tags where name = $1 and tag = $2", [name, tag]);
}

export async function removeTagsOf(db: Db, imageId: string): Promise<string[]> {
  const { rows } = await db.query<{ reference: string }>(
    "delete from tags where image_id = $1 returning name || ':' || tag as reference",
    [imageId],
  );
  return rows.map((row) => row.reference).sort();
}

/** Of one repository, or of all. */
export async function removeRepoDigests(db: Db, imageId: string, name?: string): Promise<string[]> {
  const { rows } = await db.query<{ reference: string }>(
    `delete from repo_digests where image_id = $1 and ($2::text is null or name = $2)
     returning name || '@' || digest as reference`,
    [imageId, name ?? null],
  );
  return rows.map((row) => row.reference).sort();
}

/** Locks the row against a removal and a lease that happen at once. False: it is gone. */
export async function lockImage(db: Db, id: string): Promise<boolean> {
  const { rows } = await db.query("select 1 from images where id = $1 for update", [id]);
  return rows.length === 1;
}

/** Digests of what an image's record refers to in the blob store. */
export async function blobsOf(db: Db, imageId: string): Promise<string[]> {
  const { rows } = await db.query<{ digest: string }>(
    `select id as digest from images where id = $1 union select manifest_digest from images where id = $1
     union select digest from repo_digests where image_id = $1 union select blob_digest from image_layers where image_id = $1`,
    [imageId],
  );
  return rows.map((row) => row.digest);
}

/** Digests of everything that a stored image's record refers to in the blob store. */
export async function referencedBlobs(db: Db): Promise<Set<string>> {
  const { rows } = await db.query<{ digest: string }>(
    `select id as digest from images union select manifest_digest from images
     union select digest from repo_digests union select blob_digest from image_layers`,
  );
  return new Set(rows.map((row) => row.digest));
}
