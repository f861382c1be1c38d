import type { Database } from "./database.ts";
import { sleep } from "./deadlines.ts";
import { attribute } from "./telemetry/attributes.ts";
import type { Logger } from "./telemetry/log.ts";

export interface DutySettings {
  /** What must happen once per node: `exit-watch`, `warm-pool`. */
  readonly name: string;
  readonly node: string;
  readonly db: Database;
  readonly log: Logger;
  /** Runs while this replica has the duty; its signal aborts when the duty is lost or the service stops. */
  readonly work: (signal: AbortSignal) => Promise<void>;
}

const RETRY_MS = 300;

/**
 * Runs `work` in whichever replica has the duty's advisory lock: taken over within a second when that one dies, since
 * Postgres frees the lock with the session. Ends when the signal aborts.
 */
export async function keepDuty(settings: DutySettings, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await holdOnce(settings, signal).catch((error: unknown) => {
      if (!signal.aborted) settings.log.warn({ [attribute.duty]: settings.name, err: error }, "duty interrupted");
    });
    await sleep(RETRY_MS, signal).catch(() => {});
  }
}

async function holdOnce({ name, node, db, log, work }: DutySettings, signal: AbortSignal): Promise<void> {
  await using lock = await db.shared.hold(`${db.schema}.${name}.${node}`, signal);
  log.debug({ [attribute.duty]: name }, "duty taken");
  await work(AbortSignal.any([signal, lock.lost]));
}
