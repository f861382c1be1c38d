import type { Database } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { recordEvent } from "../kit/outbox.ts";
import type { Digest } from "./digest.ts";
import { findImage } from "./find.ts";
import { familiarReference, parseReference, repositoryName } from "./reference.ts";
import { lockImage, setTag } from "./store/images.ts";

/** Gives an image another name, taking the name from whatever had it. Answers the image's id. */
export async function tagImage(db: Database, source: string, target: string): Promise<Digest> {
  const reference = parseReference(target);
  if (reference.digest !== undefined) throw notATag(target);
  return db.transaction(async (tx) => {
    const { row } = await findImage(tx, source);
    await lockImage(tx, row.id);
    await setTag(tx, repositoryName(reference), reference.tag ?? "latest", row.id);
    const attributes = { name: familiarReference(reference) };
    await recordEvent(tx, db.schema, { type: "image", action: "tag", subject: row.id, attributes });
    return row.id;
  });
}

function notATag(target: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "INVALID_REFERENCE",
    what: `tag an image as ${target}`,
    why: "a digest belongs to its content and cannot be given",
    fix: "name a repository and a tag",
  });
}
