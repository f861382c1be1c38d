import { Worker } from "node:worker_threads";
import { AsyncQueue } from "../../kit/async-queue.ts";
import { abortError, raceSignal } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { fromFailure } from "../../kit/linux/thread-failure.ts";
import { type ArchiveJob, type FromThread, type Part, type ToThread, WINDOW } from "./jobs.ts";

/** A thread costs about 10 MB and 40 ms; more copies at the same time wait. */
const MAX_THREADS = 8;
/** A thread in a system call (a mount whose server is gone) hears nothing. */
const LEAVE_TIMEOUT_MS = 5_000;

/**
 * Threads that look into containers, one for each call, since it may leave its mount namespace and wait for disks. None
 * while nobody copies.
 */
export class ArchiveThreads implements AsyncDisposable {
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new AbortController();
  #running = 0;
  #idle = Promise.withResolvers<void>();

  /**
   * Runs a job and answers its parts; ends after the thread has, so that nothing is mounted any more. Leaving the
   * iteration early, or the signal, stops it. Throws what the job threw; UNAVAILABLE SHUTTING_DOWN.
   */
  async *run(
    job: ArchiveJob,
    input: AsyncIterable<Uint8Array> | undefined,
    callers: AbortSignal,
  ): AsyncGenerator<Part, void, undefined> {
    const signal = AbortSignal.any([callers, this.#closing.signal]);
    await this.#enter(signal);
    const thread = new ArchiveThread(job, input, signal);
    try {
      yield* thread.parts();
    } finally {
      await thread.leave();
      this.#leave();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(
      new CtlError("UNAVAILABLE", {
        reason: "SHUTTING_DOWN",
        what: "copy files of a container",
        why: "the containers service is stopping",
        fix: "try again",
      }),
    );
    if (this.#running > 0) await this.#idle.promise;
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal, "copy files of a container");
    if (this.#running < MAX_THREADS) {
      this.#running++;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    try {
      await raceSignal(turn.promise, signal, "wait for other copies to end");
    } catch (error) {
      const at = this.#waiting.indexOf(turn.resolve);
      if (at < 0)
        this.#leave(); // the turn came in the same moment: pass it on
      else this.#waiting.splice(at, 1);
      throw error;
    }
  }

  /** The place goes to who waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#running--;
    if (this.#running === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    }
  }
}

class ArchiveThread {
  readonly #worker: Worker;
  readonly #parts = new AsyncQueue<Part>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #room = WINDOW;
  #consumed = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor(job: ArchiveJob, input: AsyncIterable<Uint8Array> | undefined, signal: AbortSignal) {
    this.#worker = new Worker(new URL("./archive.thread.ts", import.meta.url), {
      name: "ctl-archive",
      workerData: job,
    });
    this.#worker.on("message", (message: FromThread) => this.#take(message));
    this.#worker.on("error", (error) => this.#parts.fail(error));
    this.#worker.on("exit", () => this.#exit());
    this.#signal = signal;
    this.#onAbort = () => {
      this.#parts.fail(abortError(signal, "copy files of a container"));
      this.#post({ kind: "stop" });
    };
    signal.addEventListener("abort", this.#onAbort, { once: true });
    if (input !== undefined) void this.#feed(input); // ends with its caller's stream, and fails into the parts
  }

  async *parts(): AsyncGenerator<Part, void, undefined> {
    for await (const part of this.#parts) {
      yield part;
      this.#post({ kind: "more" });
    }
  }

  /** Nothing is wanted any more: waits until the thread has let go of everything. */
  async leave(): Promise<void> {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#post({ kind: "stop" });
    const timer = setTimeout(() => {
      this.#worker.terminate();
      this.#exited.resolve();
    }, LEAVE_TIMEOUT_MS);
    await this.#exited.promise;
    clearTimeout(timer);
    this.#hasEnded = true;
    this.#consumed.resolve();
  }

  /** Chunks as the thread can use them; a source that fails stops the job, and is what it fails with. */
  async #feed(input: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const bytes of input) {
        while (this.#room === 0 && !this.#hasEnded) {
          this.#consumed = Promise.withResolvers();
          await this.#consumed.promise;
        }
        if (this.#hasEnded) return;
        this.#room--;
        this.#post({ kind: "chunk", bytes });
      }
      this.#post({ kind: "end" });
    } catch (error) {
      this.#parts.fail(error);
      this.#post({ kind: "stop" });
    }
  }

  #take(message: FromThread): void {
    if (message.kind === "part") this.#parts.push(message.part);
    else if (message.kind === "consumed") {
      this.#room++;
      this.#consumed.resolve();
    } else if (message.kind === "done") this.#parts.end();
    else this.#parts.fail(fromFailure(message.failure));
  }

  #exit(): void {
    this.#hasEnded = true;
    this.#consumed.resolve();
    this.#exited.resolve();
    this.#parts.fail(
      new CtlError("INTERNAL", {
        reason: "ARCHIVE_THREAD_DIED",
        what: "copy files of a container",
        why: "the thread that did it ended",
        fix: "try again; if it happens again, report it with the daemon's log",
      }),
    );
  }

  #post(message: ToThread): void {
    if (!this.#hasEnded) this.#worker.postMessage(message);
  }
}
