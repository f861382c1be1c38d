import type { Database, Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import { shortDigest } from "./digest.ts";
import { type FoundImage, findImage } from "./find.ts";
import { familiarReference, parseReference } from "./reference.ts";
import {
  blobsOf,
  deleteImage,
  type ImageRow,
  imageById,
  lockImage,
  removeRepoDigests,
  removeTag,
  removeTagsOf,
} from "./store/images.ts";
import { holdersOf } from "./store/leases.ts";

export interface Removal {
  /** As people write them. */
  readonly untagged: readonly string[];
  /** Ids of images that are gone. */
  readonly deleted: readonly string[];
  /** Digests of what they had in the blob store: other images may have some of them too. */
  readonly blobs: readonly string[];
}

/**
 * Removes a tag, and with its last tag the image; by id, all of its tags. What a container holds is never deleted: with
 * `force` it loses its names only. The layers go later, when nothing refers to them (`collect`).
 * Throws NOT_FOUND IMAGE_NOT_FOUND; FAILED_PRECONDITION IMAGE_IN_USE, IMAGE_HAS_TAGS.
 */
export async function removeImage(db: Database, reference: string, force: boolean): Promise<Removal> {
  return db.transaction(async (tx) => {
    const found = await findImage(tx, reference);
    await lockImage(tx, found.row.id);
    const row = (await imageById(tx, found.row.id)) ?? found.row;
    const { untagged, isLast } = await untag(tx, found, row, force);
    for (const name of untagged) await record(tx, db.schema, "untag", row, name);
    if (!isLast) return { untagged, deleted: [], blobs: [] };
    const holders = await holdersOf(tx, row.id);
    if (holders.length > 0 && !force) throw inUse(reference, row.id, holders);
    if (holders.length > 0) return { untagged, deleted: [], blobs: [] };
    const blobs = await blobsOf(tx, row.id);
    await deleteImage(tx, row.id);
    await record(tx, db.schema, "delete", row, row.id);
    return { untagged, deleted: [row.id], blobs };
  });
}

/** Removes an image with all of its names, unless it is gone or somebody holds it: then nothing. */
export async function removeUnheld(db: Database, id: string): Promise<Removal> {
  return db.transaction(async (tx) => {
    await lockImage(tx, id);
    const row = await imageById(tx, id);
    if (row === undefined || row.lease_count > 0) return { untagged: [], deleted: [], blobs: [] };
    const untagged = await removeNames(tx, id);
    for (const name of untagged) await record(tx, db.schema, "untag", row, name);
    const blobs = await blobsOf(tx, id);
    await deleteImage(tx, id);
    await record(tx, db.schema, "delete", row, id);
    return { untagged, deleted: [id], blobs };
  });
}

interface Untagging {
  readonly untagged: string[];
  /** It has no tag any more. */
  readonly isLast: boolean;
}

/** A repository's digests go with its last tag. */
async function untag(tx: Db, found: FoundImage, row: ImageRow, force: boolean): Promise<Untagging> {
  const repositories = row.tags.map((tag) => tag.slice(0, tag.lastIndexOf(":")));
  if (found.kind === "tag") {
    await removeTag(tx, found.name, found.tag);
    const isLastOfRepository = repositories.filter((name) => name === found.name).length <= 1;
    const digests = isLastOfRepository ? await removeRepoDigests(tx, row.id, found.name) : [];
    return { untagged: [`${found.name}:${found.tag}`, ...digests].map(familiar), isLast: row.tags.length <= 1 };
  }
  if (new Set(repositories).size > 1 && !force) throw hasTags(row);
  return { untagged: await removeNames(tx, row.id), isLast: true };
}

async function removeNames(tx: Db, id: string): Promise<string[]> {
  const tags = await removeTagsOf(tx, id);
  return [...tags, ...(await removeRepoDigests(tx, id))].map(familiar);
}

export function familiar(fullName: string): string {
  return familiarReference(parseReference(fullName));
}

function record(tx: Db, schema: string, action: string, row: ImageRow, name: string): Promise<void> {
  return recordEvent(tx, schema, { type: "image", action, subject: row.id, attributes: { name } });
}

function inUse(reference: string, id: string, holders: readonly string[]): CtlError {
  const names = holders.slice(0, 3).map((holder) => holder.slice(0, 12));
  const more = holders.length > 3 ? ` and ${holders.length - 3} more` : "";
  return new CtlError("FAILED_PRECONDITION", {
    reason: "IMAGE_IN_USE",
    what: `remove the image ${reference}`,
    why: `container ${names.join(", ")}${more} is using its referenced image ${id.replace("sha256:", "").slice(0, 12)}`,
    fix: "remove the containers first, or take only its names away with --force",
  });
}

function hasTags(row: ImageRow): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "IMAGE_HAS_TAGS",
    what: `remove the image ${shortDigest(row.id)}`,
    why: `it has names in several repositories: ${row.tags.map(familiar).join(", ")}`,
    fix: "remove these one by one, or all with --force",
  });
}
