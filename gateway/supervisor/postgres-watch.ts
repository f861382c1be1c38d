import { backoffMs } from "../../services/kit/backoff.ts";
import { sleep } from "../../services/kit/deadlines.ts";
import { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";

export interface PostgresWatcher {
  /** The server ended without having been asked to. */
  onEnded(pid: number): void;
  onRestarted(server: Postgres): void;
  /** A start failed; the next comes after `retryInMs`. */
  onFailed(error: unknown, retryInMs: number): void;
}

/**
 * Keeps Postgres running until the signal aborts: each time it ends it is started again, at once the first time, later
 * with backoff (0.1 to 10 s) until it has been up for a minute. Never throws but by the signal; stops nothing.
 */
export async function keepPostgres(
  server: Postgres,
  options: PostgresOptions,
  watcher: PostgresWatcher,
  signal: AbortSignal,
): Promise<never> {
  let current = server;
  for (let failures = 0; ; ) {
    const since = performance.now();
    await current.ended(signal);
    watcher.onEnded(current.pid);
    failures = performance.now() - since > 60_000 ? 0 : failures + 1;
    if (failures > 1) await sleep(backoffMs(failures, 100, 10_000), signal);
    current = await startUntilRunning(options, watcher, signal);
    watcher.onRestarted(current);
  }
}

async function startUntilRunning(
  options: PostgresOptions,
  watcher: PostgresWatcher,
  signal: AbortSignal,
): Promise<Postgres> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await startPostgres(options, signal);
    } catch (error) {
      signal.throwIfAborted();
      const retryInMs = backoffMs(attempt, 100, 10_000);
      watcher.onFailed(error, retryInMs);
      await sleep(retryInMs, signal);
    }
  }
}
