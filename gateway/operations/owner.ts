import { randomBytes } from "node:crypto";
import { aborted } from "../../services/kit/boot.ts";
import type { Database } from "../../services/kit/database.ts";
import { sleep } from "../../services/kit/deadlines.ts";
import type { Logger } from "../../services/kit/telemetry/log.ts";

/** A gateway's identity in the operations log: a positive bigint, new for each process. */
export function newOwner(): string {
  return String(randomBytes(8).readBigUInt64BE() >> 1n);
}

/**
 * Holds the advisory lock that says "this gateway lives", until the signal aborts; taken again when the database comes
 * back. `ready` resolves when it is held for the first time: no operation may begin before.
 */
export function keepOwner(owner: string, db: Database, log: Logger, signal: AbortSignal) {
  const ready = Promise.withResolvers<void>();
  const ended = hold(owner, db, log, ready.resolve, signal);
  return { ready: ready.promise, ended };
}

async function hold(owner: string, db: Database, log: Logger, ready: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await using lock = await db.shared.hold(ownerLock(owner), signal);
      ready();
      await aborted(AbortSignal.any([signal, lock.lost]));
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error }, "the gateway's lock is not held; trying again");
    }
    await sleep(200, signal).catch(() => {});
  }
}

/** The name of the lock that a living gateway holds. */
export function ownerLock(owner: string): string {
  return `ctl.gateway.${owner}`;
}
