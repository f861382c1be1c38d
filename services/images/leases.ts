import type { Database } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { beginStep, beginUndo } from "../kit/outbox.ts";
import { findImage } from "./find.ts";
import type { ImageRow } from "./store/images.ts";
import { placedLayers } from "./store/layers.ts";
import { leaseImage, releaseLeases, undoLease } from "./store/leases.ts";

export interface Holder {
  readonly holder: string;
  readonly operation: string;
}

export interface LeasedImage {
  readonly row: ImageRow;
  /** Directory names below images/l, lowest layer first. */
  readonly layers: readonly string[];
}

/**
 * Resolves a local reference and leases what it names to the holder, in one transaction; done again it answers the same.
 * Throws NOT_FOUND IMAGE_NOT_FOUND; ABORTED OPERATION_UNDONE; FAILED_PRECONDITION LAYERS_MISSING.
 */
export async function acquire(db: Database, node: string, reference: string, holder: Holder): Promise<LeasedImage> {
  return db.transaction(async (tx) => {
    await beginStep(tx, holder.operation, `lease the image ${reference}`);
    const { row } = await findImage(tx, reference);
    const [layers] = await Promise.all([
      placedLayers(tx, node, row.id),
      leaseImage(tx, row.id, holder.holder, holder.operation),
    ]);
    if (layers.length !== row.config.diffIds.length) throw layersMissing(reference);
    return { row, layers };
  });
}

export async function undoAcquire(db: Database, { holder, operation }: Holder): Promise<void> {
  await db.transaction(async (tx) => {
    await beginUndo(tx, operation);
    await undoLease(tx, holder, operation);
  });
}

export async function release(db: Database, holder: string): Promise<void> {
  await releaseLeases(db, holder);
}

function layersMissing(reference: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "LAYERS_MISSING",
    what: `use the image ${reference}`,
    why: "its layers are not on this host",
    fix: `pull it again: ctl pull ${reference}`,
  });
}
