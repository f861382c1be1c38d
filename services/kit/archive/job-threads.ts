import { Worker } from "node:worker_threads";
import { AsyncQueue } from "../async-queue.ts";
import { abortError, raceSignal } from "../deadlines.ts";
import { CtlError } from "../errors.ts";
import { fromFailure } from "../linux/thread-failure.ts";
import { type FromThread, type ToThread, WINDOW } from "./job-messages.ts";

/** A thread costs about 10 MB and 40 ms; more copies at the same time wait. */
const MAX_THREADS = 8;
/** A thread in a system call (a mount whose server is gone) hears nothing. */
const LEAVE_TIMEOUT_MS = 5_000;

export interface JobProgram {
  /** Ends in `answerJob`: `new URL("./x.thread.ts", import.meta.url)`. */
  readonly program: URL;
  readonly name: string;
  /** What a job does, for errors: completes "cannot ". */
  readonly what: string;
}

/**
 * Threads that work on file trees, one for each call, since it may leave its mount namespace and wait for disks. None
 * while nobody asks for one. `Job` and `Part` are copied from thread to thread.
 */
export class JobThreads<Job, Part> implements AsyncDisposable {
  readonly #program: JobProgram;
  readonly #waiting: (() => void)[] = [];
  readonly #closing = new AbortController();
  #running = 0;
  #idle = Promise.withResolvers<void>();

  constructor(program: JobProgram) {
    this.#program = program;
  }

  /**
   * Runs a job and answers its parts; ends after the thread has, so that nothing is mounted any more. Leaving the
   * iteration early, or the signal, stops it. Throws what the job threw; UNAVAILABLE SHUTTING_DOWN.
   */
  async *run(
    job: Job,
    input: AsyncIterable<Uint8Array> | undefined,
    callers: AbortSignal,
  ): AsyncGenerator<Part, void, undefined> {
    const signal = AbortSignal.any([callers, this.#closing.signal]);
    await this.#enter(signal);
    const thread = new JobThread<Job, Part>(this.#program, job, input, signal);
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
        what: this.#program.what,
        why: "the service is stopping",
        fix: "try again",
      }),
    );
    if (this.#running > 0) await this.#idle.promise;
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal, this.#program.what);
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

class JobThread<Job, Part> {
  readonly #program: JobProgram;
  readonly #worker: Worker;
  readonly #parts = new AsyncQueue<Part>();
  readonly #exited = Promise.withResolvers<void>();
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;
  #room = WINDOW;
  #consumed = Promise.withResolvers<void>();
  #hasEnded = false;

  constructor(program: JobProgram, job: Job, input: AsyncIterable<Uint8Array> | undefined, signal: AbortSignal) {
    this.#program = program;
    this.#worker = new Worker(program.program, { name: program.name, workerData: job });
    this.#worker.on("message", (message: FromThread<Part>) => this.#take(message));
    this.#worker.on("error", (error) => this.#parts.fail(error));
    this.#worker.on("exit", () => this.#exit());
    this.#signal = signal;
    this.#onAbort = () => {
      this.#parts.fail(abortError(signal, this.#program.what));
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

  #take(message: FromThread<Part>): void {
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
        what: this.#program.what,
        why: "the thread that did it ended",
        fix: "try again; if it happens again, report it with the daemon's log",
      }),
    );
  }

  #post(message: ToThread): void {
    if (!this.#hasEnded) this.#worker.postMessage(message);
  }
}
