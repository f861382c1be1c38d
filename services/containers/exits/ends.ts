import { sleep } from "../../kit/deadlines.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import type { EventFeed } from "../../kit/watch.ts";

export interface RunEnd {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

const RETRY_MS = 200;

/**
 * Tells who waits for the end of a container's run, from the events and not from rows: a row may be gone a moment after
 * the exit (`--rm`), an event never is. One watch for all of this process.
 */
export class RunEnds implements AsyncDisposable {
  readonly #waiting = new Map<string, Set<(end: RunEnd) => void>>();
  readonly #outOfMemory = new Set<string>();
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;

  constructor(feed: EventFeed, log: Logger) {
    this.#watching = this.#watch(feed, log);
  }

  /** The next end of a run of this container, from the moment of the call on. Dispose it when it is not wanted any more. */
  next(containerId: string): { readonly ended: Promise<RunEnd> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    const waiting = this.#waiting.get(containerId) ?? new Set();
    this.#waiting.set(containerId, waiting.add(resolve));
    return {
      ended: promise,
      [Symbol.dispose]: () => {
        waiting.delete(resolve);
        if (waiting.size === 0 && this.#waiting.get(containerId) === waiting) this.#waiting.delete(containerId);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#watching;
  }

  async #watch(feed: EventFeed, log: Logger): Promise<void> {
    const { signal } = this.#stopped;
    let since = "";
    while (!signal.aborted) {
      try {
        for await (const event of feed.watch({ since }, signal)) {
          since = `${event.xid}-${event.id}`;
          if (event.action === "oom") this.#outOfMemory.add(event.subject);
          if (event.action === "die") this.#tell(event.subject, Number(event.attributes["exitCode"] ?? 0));
        }
      } catch (error) {
        if (!signal.aborted) log.debug({ err: error }, "ends of runs not watched; trying again");
      }
      // also when it ended without an error, as it does when the feed is stopped before this is
      await sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  #tell(containerId: string, exitCode: number): void {
    const oomKilled = this.#outOfMemory.delete(containerId);
    const waiting = this.#waiting.get(containerId);
    this.#waiting.delete(containerId);
    for (const resolve of waiting ?? []) resolve({ exitCode, oomKilled });
  }
}
