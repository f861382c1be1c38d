import type { Database } from "./database.ts";
import { sleep } from "./deadlines.ts";
import { CtlError } from "./errors.ts";
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
  const session = await db.session();
  const lost = new AbortController();
  session.on("end", () => lost.abort(dutyLost(name)));
  try {
    const key = `${db.schema}.${name}.${node}`;
    while (!signal.aborted) {
      const { rows } = await session.query("select pg_try_advisory_lock(hashtextextended($1, 0)) as mine", [key]);
      if (rows[0]?.mine === true) break;
      await sleep(RETRY_MS, AbortSignal.any([signal, lost.signal]));
    }
    if (signal.aborted) return;
    log.debug({ [attribute.duty]: name }, "duty taken");
    await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    await session.end().catch(() => {});
  }
}

function dutyLost(name: string): CtlError {
  return new CtlError("ABORTED", {
    reason: "DUTY_LOST",
    what: `keep the duty ${name}`,
    why: "the database session that held it ended",
  });
}
