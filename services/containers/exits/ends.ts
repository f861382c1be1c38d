import { sleep } from "../../kit/deadlines.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import type { EventFeed } from "../../kit/watch.ts";
import { Waiting } from "./waiting.ts";

export interface RunEnd {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

const RETRY_MS = 200;
/** How late an event may be that was told here before it came. */
const TOLD_MS = 30_000;

/**
 * Tells who waits for the end of a container's run, or for any change of one, from the events and not from rows: a row may
 * be gone a moment after the exit (`--rm`), an event never is. What this process does itself is told at once, before its
 * event comes round. One watch for all of this process.
 */
export class RunEnds implements AsyncDisposable {
  readonly #ends = new Waiting<RunEnd>();
  readonly #changes = new Waiting<void>();
  readonly #outOfMemory = new Set<string>();
  /** Ends that were told and whose events are still to come: until when, by container. */
  readonly #told = new Map<string, number[]>();
  readonly #stopped = new AbortController();
  readonly #watching: Promise<void>;

  /** Aborts when this process is about to end: who waits goes on at another one. */
  readonly stopping: AbortSignal;

  constructor(feed: EventFeed, log: Logger, stopping: AbortSignal) {
    this.stopping = stopping;
    this.#watching = this.#watch(feed, log);
  }

  /** The next end of a run of this container, from the moment of the call on. Dispose it when it is not wanted any more. */
  next(containerId: string): { readonly ended: Promise<RunEnd> } & Disposable {
    const { happened, ...disposable } = this.#ends.next(containerId);
    return { ended: happened, ...disposable };
  }

  /** The next change of this container, from the moment of the call on. Dispose it when it is not wanted any more. */
  nextChange(containerId: string): { readonly happened: Promise<void> } & Disposable {
    return this.#changes.next(containerId);
  }

  /** This process has just recorded it. */
  tell(containerId: string, end: RunEnd): void {
    const now = performance.now();
    for (const [id, untilMs] of this.#told) if ((untilMs.at(-1) ?? 0) < now) this.#told.delete(id);
    this.#told.set(containerId, [...(this.#told.get(containerId) ?? []), now + TOLD_MS]);
    this.#ends.tell(containerId, end);
    this.#changes.tell(containerId);
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
          if (event.action === "die") this.#onDie(event.subject, Number(event.attributes["exitCode"] ?? 0));
          this.#changes.tell(event.subject);
        }
      } catch (error) {
        if (!signal.aborted) log.debug({ err: error }, "ends of runs not watched; trying again");
      }
      // also when it ended without an error, as it does when the feed is stopped before this is
      await sleep(RETRY_MS, signal).catch(() => {});
    }
  }

  #onDie(containerId: string, exitCode: number): void {
    const oomKilled = this.#outOfMemory.delete(containerId);
    if (!this.#wasTold(containerId)) this.#ends.tell(containerId, { exitCode, oomKilled });
  }

  /** Else who waits for the next run's end would take this one's for it. */
  #wasTold(containerId: string): boolean {
    const [untilMs = 0, ...later] = this.#told.get(containerId) ?? [];
    if (later.length === 0) this.#told.delete(containerId);
    else this.#told.set(containerId, later);
    return untilMs > performance.now();
  }
}
