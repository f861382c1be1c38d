import { randomUUID } from "node:crypto";
import { deadline } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { createOnHost } from "../attachment.ts";
import { recordCreated } from "../create.ts";
import { deleteTree } from "../delete-tree.ts";
import type { Deps } from "../deps.ts";
import { incomingIds, incomingOf, makeIncoming } from "../drivers/local/directories.ts";
import { discard } from "../remove.ts";
import { insertVolumes, livingIds, type NewVolume } from "../store.ts";
import type { Volume } from "../volume.ts";
import { lockContent, tryLockContent } from "./lock.ts";

const CLEANUP_TIMEOUT_MS = 10_000;

/** A directory that becomes a volume's content when it is complete, and is nobody's before. */
export interface NewContent extends AsyncDisposable {
  readonly path: string;
  /** Aborts with the caller's signal, and when nobody would know any more that we live. */
  readonly signal: AbortSignal;
  /**
   * The volume that has it: its row first, then the directory by a rename, which reconcile does when nobody else can. With
   * `instead` that (locked) volume goes in the same transaction. Await it before disposing. Throws ALREADY_EXISTS VOLUME_NAME_IN_USE.
   */
  publish(volume: Omit<NewVolume, "id">, createdBy: string, instead?: ReplacedVolume): Promise<Volume>;
}

/** Locks and answers what is to go in the transaction; undefined: nothing. */
export type ReplacedVolume = (tx: Parameters<typeof discard>[0]) => Promise<Volume | undefined>;

/** What is not published is deleted: by who made it, or by reconcile when that was killed. */
export async function newContent(deps: Deps, signal: AbortSignal): Promise<NewContent> {
  await using undo = new AsyncDisposableStack();
  const id = randomUUID();
  const lock = undo.use(await lockContent(deps.db, id, signal));
  let isPublished = false;
  undo.defer(async () => {
    // what a row names is that volume's, also before it has been moved in
    if (!isPublished) await drop(id, deps);
  });
  const path = await makeIncoming(deps.directories, { id });
  const owned = undo.move();
  return {
    path,
    signal: lock.signal,
    publish: async (wanted, createdBy, instead) => {
      lock.signal.throwIfAborted();
      const volume = await deps.db.transaction(async (tx) => {
        const replaced = await instead?.(tx);
        if (replaced !== undefined) await discard(tx, replaced, deps.drivers);
        const [made] = await insertVolumes(tx, deps.node, [{ ...wanted, id }], { name: createdBy });
        if (made === undefined) throw nameTaken(wanted.name);
        await recordCreated(tx, made);
        return made;
      });
      isPublished = true;
      await createOnHost(volume, deps);
      return volume;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A commit whose answer got lost may have made it a volume. */
async function drop(id: string, { db, directories }: Deps): Promise<void> {
  if ((await livingIds(db, [id])).has(id)) return;
  await deleteTree(incomingOf(directories, { id }), deadline(CLEANUP_TIMEOUT_MS, "delete what was not completed"));
}

/** Deletes what somebody who is dead was making; answers the ids. */
export async function dropAbandoned(deps: Deps, signal: AbortSignal): Promise<string[]> {
  const dropped: string[] = [];
  for (const id of await incomingIds(deps.directories)) {
    await using lock = await tryLockContent(deps.db, id, signal);
    if (lock === undefined || (await livingIds(deps.db, [id])).has(id)) continue;
    await deleteTree(incomingOf(deps.directories, { id }), lock.signal);
    dropped.push(id);
  }
  return dropped;
}

export function nameTaken(name: string): CtlError {
  return new CtlError("ALREADY_EXISTS", {
    reason: "VOLUME_NAME_IN_USE",
    what: `make volume "${name}"`,
    why: "a volume of that name exists",
    fix: `choose another name, or look at it with ctl volume inspect ${name}`,
  });
}
