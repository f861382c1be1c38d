import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { isDigest } from "./digest.ts";
import { parseReference, type Reference, repositoryName } from "./reference.ts";
import { type ImageRow, imageById, imageByRepoDigest, imageByTag, imagesByIdPrefix } from "./store/images.ts";

const HEX = /^[0-9a-f]{4,64}$/;

/** How a caller named an image: that decides what a removal removes. */
export type FoundImage =
  | { readonly kind: "tag"; readonly row: ImageRow; readonly name: string; readonly tag: string }
  | { readonly kind: "digest"; readonly row: ImageRow }
  | { readonly kind: "id"; readonly row: ImageRow };

/**
 * A local image by id, tag, digest or the beginning of its id, in Docker's order: what is a name that exists is that name.
 * Throws NOT_FOUND IMAGE_NOT_FOUND; INVALID_ARGUMENT INVALID_REFERENCE, IMAGE_ID_AMBIGUOUS.
 */
export async function findImage(db: Db, text: string): Promise<FoundImage> {
  if (isDigest(text)) {
    const row = await imageById(db, text);
    if (row !== undefined) return { kind: "id", row };
  }
  const byName = await findByName(db, text);
  if (byName !== undefined) return byName;
  const hex = text.replace(/^sha256:/, "");
  if (HEX.test(hex)) {
    const [row, other] = await imagesByIdPrefix(db, hex);
    if (row !== undefined && other !== undefined) throw ambiguous(text);
    if (row !== undefined) return { kind: "id", row };
  }
  throw notFound(text);
}

async function findByName(db: Db, text: string): Promise<FoundImage | undefined> {
  const reference = referenceOrUndefined(text);
  if (reference === undefined) return undefined;
  const name = repositoryName(reference);
  if (reference.digest !== undefined) {
    const row = await imageByRepoDigest(db, name, reference.digest);
    return row === undefined ? undefined : { kind: "digest", row };
  }
  const tag = reference.tag ?? "latest";
  const row = await imageByTag(db, name, tag);
  return row === undefined ? undefined : { kind: "tag", row, name, tag };
}

/** An id is no name; anything else that cannot be a name is the caller's mistake. */
function referenceOrUndefined(text: string): Reference | undefined {
  if (HEX.test(text) && text.length === 64) return undefined;
  if (isDigest(text)) return undefined;
  return parseReference(text);
}

function notFound(text: string): CtlError {
  return new CtlError("NOT_FOUND", {
    reason: "IMAGE_NOT_FOUND",
    what: `find the image ${text}`,
    why: "there is no such image here",
    fix: `pull it with ctl pull ${text}, or look at what is here with ctl images`,
  });
}

function ambiguous(text: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "IMAGE_ID_AMBIGUOUS",
    what: `find the image ${text}`,
    why: "more than one image's id begins so",
    fix: "give more digits",
  });
}
