import type { Db } from "../kit/database.ts";
import type { LabelFilter } from "../kit/filters.ts";
import type { Owner, StringMap, Volume, VolumeName } from "./volume.ts";

interface VolumeRow {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly options: StringMap;
  readonly labels: StringMap;
  readonly is_anonymous: boolean;
  readonly made_by: string | null;
  readonly staged: string | null;
  readonly created_by: string;
  readonly created_at: Date;
  readonly holders: string[];
}

const VOLUME = `
  v.id, v.name, v.driver, v.options, v.labels, v.is_anonymous, v.made_by, v.staged, v.created_by, v.created_at,
  array(select distinct r.holder from mount_references r where r.volume_id = v.id order by r.holder) as holders`;

function toVolume(row: VolumeRow): Volume {
  const { is_anonymous: isAnonymous, created_at: createdAt, created_by: createdBy, ...others } = row;
  const { made_by: madeBy, staged, name, ...same } = others;
  return {
    ...same,
    createdBy,
    name: name as VolumeName,
    isAnonymous,
    createdAt,
    madeBy: madeBy ?? undefined,
    staged: staged ?? undefined,
  };
}

export interface NewVolume {
  /** Undefined: a new one. */
  readonly id?: string;
  readonly name: VolumeName;
  readonly driver: string;
  readonly options: StringMap;
  readonly labels: StringMap;
  readonly isAnonymous: boolean;
}

export interface Maker {
  /** The operation that takes the volume back when it is undone. */
  readonly operation?: string;
  /** Who is behind it, as `Volume.createdBy` has it. */
  readonly name: string;
}

/** Those of the volumes that did not exist yet. An unfinished transaction that makes one of them is waited for. */
export async function insertVolumes(
  db: Db,
  node: string,
  volumes: readonly NewVolume[],
  maker: Maker,
): Promise<Volume[]> {
  const { rows } = await db.query<VolumeRow>(
    `insert into volumes as v (id, node, name, driver, options, labels, is_anonymous, made_by, created_by)
     select coalesce(n.id, gen_random_uuid()), $1, n.name, n.driver, n.options, n.labels, n."isAnonymous", $3, $4
       from jsonb_to_recordset($2::jsonb)
            as n (id uuid, name text, driver text, options jsonb, labels jsonb, "isAnonymous" boolean)
      order by n.name
     on conflict on constraint volumes_name do nothing
     returning ${VOLUME}`,
    [node, JSON.stringify(volumes), maker.operation ?? null, maker.name],
  );
  return rows.map(toVolume);
}

export async function volumeNamed(db: Db, node: string, name: string): Promise<Volume | undefined> {
  const { rows } = await db.query<VolumeRow>(`select ${VOLUME} from volumes v where v.node = $1 and v.name = $2`, [
    node,
    name,
  ]);
  return rows.map(toVolume)[0];
}

/** Those that exist, kept from being removed until the transaction ends. */
export async function keepVolumes(db: Db, node: string, names: readonly string[]): Promise<Volume[]> {
  const { rows } = await db.query<VolumeRow>(
    `select ${VOLUME} from volumes v where v.node = $1 and v.name = any($2) order by v.name for key share of v`,
    [node, names],
  );
  return rows.map(toVolume);
}

/**
 * The volume, nobody else's until the transaction ends. Read behind the lock in a statement of its own: who was waited
 * for may have added a reference, which the waiting statement's snapshot does not show.
 */
export async function lockVolume(db: Db, node: string, name: string): Promise<Volume | undefined> {
  await db.query("select from volumes where node = $1 and name = $2 for update", [node, name]);
  return volumeNamed(db, node, name);
}

/** Undefined: it is gone, or somebody works on it. */
export async function lockVolumeIfFree(db: Db, id: string): Promise<Volume | undefined> {
  const { rows } = await db.query<VolumeRow>(
    `select ${VOLUME} from volumes v where v.id = $1 for update of v skip locked`,
    [id],
  );
  return rows.map(toVolume)[0];
}

/** Made for one container so far, somebody else's too from now on: no undo takes them away. */
export async function adoptVolumes(db: Db, ids: readonly string[]): Promise<void> {
  await db.query("update volumes set made_by = null where id = any($1) and made_by is not null", [ids]);
}

export async function deleteVolume(db: Db, id: string): Promise<void> {
  await db.query("delete from volumes where id = $1", [id]);
}

/** False: it has the name of another copy already, or is gone. */
export async function markStaged(db: Db, id: string, staged: string): Promise<boolean> {
  const { rowCount } = await db.query("update volumes set staged = $2 where id = $1 and staged is null", [id, staged]);
  return rowCount === 1;
}

export async function clearStaged(db: Db, id: string): Promise<void> {
  await db.query("update volumes set staged = null where id = $1", [id]);
}

export interface VolumeConditions {
  readonly dangling?: boolean;
  readonly driver?: readonly string[];
  readonly label?: LabelFilter;
  /** Regular expressions. */
  readonly name?: readonly string[];
}

/** By name, at most `limit` behind the name `after`. */
export async function listVolumes(
  db: Db,
  node: string,
  { dangling, driver, label, name }: VolumeConditions,
  { after, limit }: { after: string; limit: number },
): Promise<Volume[]> {
  const { rows } = await db.query<VolumeRow>(
    `select ${VOLUME} from volumes v
      where v.node = $1 and v.name > $2
        and ($3::boolean is null or $3 <> exists (select from mount_references r where r.volume_id = v.id))
        and ($4::text[] is null or v.driver = any($4))
        and ($5::text[] is null or v.labels ?& $5)
        and ($6::jsonb[] is null or v.labels @> all($6))
        and ($7::text[] is null or v.name ~ any($7))
      order by v.name limit $8`,
    [
      node,
      after,
      dangling ?? null,
      driver ?? null,
      label?.keys ?? null,
      label?.pairs.map((pair) => JSON.stringify(pair)) ?? null,
      name ?? null,
      limit,
    ],
  );
  return rows.map(toVolume);
}

/** All of a node's, for comparing them with the host. */
export async function allVolumes(db: Db, node: string): Promise<Volume[]> {
  const { rows } = await db.query<VolumeRow>(`select ${VOLUME} from volumes v where v.node = $1`, [node]);
  return rows.map(toVolume);
}

/** Those of the ids that have a row. */
export async function livingIds(db: Db, ids: readonly string[]): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>("select id::text from volumes where id::text = any($1)", [ids]);
  return new Set(rows.map((row) => row.id));
}

export interface Reference {
  readonly holder: string;
  readonly target: string;
  readonly wantsCopyUp: boolean;
  /** Whom the volume is to belong to while it is empty. */
  readonly owner: Owner | undefined;
  readonly volume: Volume;
}

interface ReferenceRow extends VolumeRow {
  readonly holder: string;
  readonly target: string;
  readonly wants_copy_up: boolean;
  /** bigint, which the driver hands over as text. */
  readonly owner_uid: string | null;
  readonly owner_gid: string | null;
}

function toReference({ holder, target, wants_copy_up, owner_uid, owner_gid, ...volume }: ReferenceRow): Reference {
  const id = (text: string | null) => (text === null ? undefined : Number(text));
  const owner = owner_uid === null && owner_gid === null ? undefined : { uid: id(owner_uid), gid: id(owner_gid) };
  return { holder, target, wantsCopyUp: wants_copy_up, owner, volume: toVolume(volume) };
}

export async function referencesOf(db: Db, node: string, holder: string): Promise<Reference[]> {
  const { rows } = await db.query<ReferenceRow>(
    `select m.holder, m.target, m.wants_copy_up, m.owner_uid, m.owner_gid, ${VOLUME}
       from mount_references m join volumes v on v.id = m.volume_id
      where m.holder = $2 and v.node = $1 order by m.target`,
    [node, holder],
  );
  return rows.map(toReference);
}

export interface NewReference {
  readonly target: string;
  readonly volumeId: string;
  readonly wantsCopyUp: boolean;
  readonly owner: Owner | undefined;
}

/** Violates mount_references_target when another operation mounts something at the same place of the same holder. */
export async function insertReferences(
  db: Db,
  holder: string,
  operation: string,
  references: readonly NewReference[],
): Promise<void> {
  await db.query(
    `insert into mount_references (holder, target, volume_id, acquired_by, wants_copy_up, owner_uid, owner_gid)
     select $1, n.target, n."volumeId", $2, n."wantsCopyUp", (n.owner->>'uid')::bigint, (n.owner->>'gid')::bigint
       from jsonb_to_recordset($3::jsonb) as n (target text, "volumeId" uuid, "wantsCopyUp" boolean, owner jsonb)`,
    [holder, operation, JSON.stringify(references)],
  );
}

/** The holder's copy-up of this volume is done, or needs no doing any more; its owner has been set, or never will be. */
export async function settleCopyUp(db: Db, holder: string, volumeId: string): Promise<void> {
  await db.query(
    `update mount_references set wants_copy_up = false, owner_uid = null, owner_gid = null
      where holder = $1 and volume_id = $2 and (wants_copy_up or owner_uid is not null or owner_gid is not null)`,
    [holder, volumeId],
  );
}

export interface Use {
  readonly holder: string;
  readonly target: string;
}

/** Where containers have a volume. */
export async function usesOf(db: Db, volumeId: string): Promise<Use[]> {
  const { rows } = await db.query<Use>(
    "select holder, target from mount_references where volume_id = $1 order by holder, target",
    [volumeId],
  );
  return rows;
}

/** Holders that are no containers: what works on a volume's content, `PURPOSE:ID`. */
export async function workingHolders(db: Db, node: string): Promise<string[]> {
  const { rows } = await db.query<{ holder: string }>(
    `select distinct m.holder from mount_references m join volumes v on v.id = m.volume_id
      where v.node = $1 and m.holder like '%:%' order by m.holder`,
    [node],
  );
  return rows.map((row) => row.holder);
}

export interface DroppedReference {
  readonly volumeId: string;
  readonly name: string;
  readonly driver: string;
  /** It is more than a directory. */
  readonly mayBeMounted: boolean;
}

/** What the holder gives up: all, or (with an operation) what that one acquired. */
export async function deleteReferences(
  db: Db,
  node: string,
  holder: string,
  operation?: string,
): Promise<DroppedReference[]> {
  const { rows } = await db.query<DroppedReference>(
    `delete from mount_references m using volumes v
      where m.holder = $2 and v.id = m.volume_id and v.node = $1 and ($3::text is null or m.acquired_by = $3)
     returning m.volume_id as "volumeId", v.name, v.driver, v.options <> '{}' or v.driver <> 'local' as "mayBeMounted"`,
    [node, holder, operation ?? null],
  );
  return rows;
}

/**
 * Volumes to which nobody refers, of these ids or made by this operation; nobody else's until the transaction ends.
 * In two statements for the same reason as in `lockVolume`.
 */
export async function lockUnreferenced(
  db: Db,
  node: string,
  { ids, madeBy }: { ids: readonly string[]; madeBy?: string },
): Promise<Volume[]> {
  const locked = await db.query<{ id: string }>(
    `select id from volumes where node = $1 and (id = any($2) or made_by = $3) order by name for update`,
    [node, ids, madeBy ?? null],
  );
  if (locked.rowCount === 0) return [];
  const { rows } = await db.query<VolumeRow>(
    `select ${VOLUME} from volumes v
      where v.id = any($1) and not exists (select from mount_references r where r.volume_id = v.id) order by v.name`,
    [locked.rows.map((row) => row.id)],
  );
  return rows.map(toVolume);
}
