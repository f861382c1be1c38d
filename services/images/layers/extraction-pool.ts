import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { raceSignal } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import type { Job, JobMessage } from "./jobs.ts";

export interface ExtractionPoolSettings {
  /** Threads at most; each job has one, several share one where there are more. */
  readonly threads: number;
  /** Layers in work at most: each holds a connection, a window of bytes and some open directories. */
  readonly jobs: number;
  /** An idle pool ends its threads after this: one costs about 10 MB, and 40 ms to start. */
  readonly idleMs: number;
}

export const DEFAULT_POOL_SETTINGS: ExtractionPoolSettings = {
  threads: Math.max(2, Math.min(4, availableParallelism())),
  jobs: 12,
  idleMs: 10_000,
};

/** A job that a thread has, until it is disposed. */
export interface RunningJob extends Disposable {
  readonly port: MessagePort;
  /** Rejects with INTERNAL EXTRACTION_THREAD_DIED when the thread ends before the job does; never resolves. */
  readonly died: Promise<never>;
}

interface Thread {
  readonly worker: Worker;
  jobs: number;
}

/** Threads that extract layers: started when needed, ended when idle, so that the main loop never waits for a disk. */
export class ExtractionPool implements AsyncDisposable {
  readonly #settings: ExtractionPoolSettings;
  readonly #program: URL;
  readonly #threads = new Set<Thread>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `program` is extract.thread.ts, or what the build made of it. */
  constructor(
    settings: ExtractionPoolSettings = DEFAULT_POOL_SETTINGS,
    program: URL = new URL("./extract.thread.ts", import.meta.url),
  ) {
    this.#settings = settings;
    this.#program = program;
  }

  /** Hands a job to the least busy thread, once there is room. Throws CANCELLED and DEADLINE_EXCEEDED by the signal. */
  async start(job: Job, signal: AbortSignal): Promise<RunningJob> {
    await this.#enter(signal);
    clearTimeout(this.#idleTimer);
    const thread = this.#leastBusy();
    thread.jobs++;
    const { port1, port2 } = new MessageChannel();
    const died = Promise.withResolvers<never>();
    died.promise.catch(() => {}); // it may come when nobody waits any more
    const onExit = () => died.reject(threadDied());
    thread.worker.once("exit", onExit);
    const message: JobMessage = { job, port: port2 };
    thread.worker.postMessage(message, [port2]);
    return {
      port: port1,
      died: died.promise,
      [Symbol.dispose]: () => {
        thread.worker.off("exit", onExit);
        port1.close();
        thread.jobs--;
        this.#leave();
      },
    };
  }

  /** Ends the threads and with them what they are doing: wait for the jobs first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#idleTimer);
    await this.#endThreads();
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw closed();
    if (this.#running < this.#settings.jobs) {
      this.#running++;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn.resolve);
    try {
      await raceSignal(turn.promise, signal, "wait for a free extraction thread");
    } catch (error) {
      const index = this.#waiting.indexOf(turn.resolve);
      if (index === -1)
        this.#leave(); // the turn came in the same moment: pass it on
      else this.#waiting.splice(index, 1);
      throw error;
    }
  }

  /** The place goes to who waits longest, without being free in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next();
    else this.#running--;
    if (this.#running > 0 || this.#isClosed) return;
    this.#idleTimer = setTimeout(() => void this.#endThreads(), this.#settings.idleMs);
    this.#idleTimer.unref();
  }

  #leastBusy(): Thread {
    const [best] = [...this.#threads].sort((a, b) => a.jobs - b.jobs);
    if (best !== undefined && (best.jobs === 0 || this.#threads.size >= this.#settings.threads)) return best;
    const worker = new Worker(this.#program, { name: "ctl-extract" });
    const thread: Thread = { worker, jobs: 0 };
    this.#threads.add(thread);
    worker.on("error", () => {}); // "exit" follows, and ends its jobs
    worker.on("exit", () => this.#threads.delete(thread));
    worker.unref();
    return thread;
  }

  async #endThreads(): Promise<void> {
    const threads = [...this.#threads];
    this.#threads.clear();
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }
}

function threadDied(): CtlError {
  return new CtlError("INTERNAL", {
    reason: "EXTRACTION_THREAD_DIED",
    what: "extract the layer",
    why: "the thread that did it ended",
    fix: "try again; if it happens again, report it with the daemon's log",
  });
}

function closed(): CtlError {
  return new CtlError("UNAVAILABLE", {
    reason: "SHUTTING_DOWN",
    what: "extract the layer",
    why: "the images service is stopping",
    fix: "try again",
  });
}
