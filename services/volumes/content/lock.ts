import type { Database } from "../../kit/database.ts";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";

/** Held by one of all replicas; free again when this one dies. */
export interface ContentLock extends AsyncDisposable {
  /** Aborts with the caller's signal, and when the lock is lost with its database session. */
  readonly signal: AbortSignal;
}

const RETRY_MS = 25;

/**
 * Who makes a volume's content, or reads all of it, is known to live by this lock. A session of its own, 5 ms: a copy
 * may take longer than a transaction may last (15 s), and than `lock_timeout` lets anybody wait for a lock.
 */
export async function lockContent(db: Database, volumeId: string, signal: AbortSignal): Promise<ContentLock> {
  for (;;) {
    const lock = await tryLockContent(db, volumeId, signal);
    if (lock !== undefined) return lock;
    await sleep(RETRY_MS, signal);
  }
}

/** Undefined: somebody works on it now. */
export async function tryLockContent(
  db: Database,
  volumeId: string,
  signal: AbortSignal,
): Promise<ContentLock | undefined> {
  const session = await db.session();
  const lost = new AbortController();
  session.on("end", () => lost.abort(lockLost(volumeId)));
  const lock = {
    signal: AbortSignal.any([signal, lost.signal]),
    [Symbol.asyncDispose]: () => session.end().catch(() => {}),
  };
  try {
    const { rows } = await session.query("select pg_try_advisory_lock(hashtextextended($1, 0)) as mine", [
      `${db.schema}.filling.${volumeId}`,
    ]);
    if (rows[0]?.mine === true) return lock;
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  await lock[Symbol.asyncDispose]();
  return undefined;
}

function lockLost(volumeId: string): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "FILLING_LOCK_LOST",
    what: `work on the content of volume ${volumeId}`,
    why: "the database session that held its lock ended",
    fix: "try again",
  });
}
