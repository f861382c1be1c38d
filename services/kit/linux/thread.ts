import { Worker } from "node:worker_threads";
import { raceSignal } from "../deadlines.ts";
import { CtlError } from "../errors.ts";
import { SyscallError } from "./libc.ts";
import type { ThreadOperations, ThreadReply, ThreadRequest } from "./thread-program.ts";

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: unknown) => void };

export interface ThreadStart {
  /** The program, which ends in `serveThread`: `new URL("./x.thread.ts", import.meta.url)`. */
  readonly program: URL;
  readonly name: string;
  readonly data?: unknown;
  /** An operation that lets go of what the thread has, called before it is ended. */
  readonly lastCall?: string;
}

/**
 * A thread of this process that may change its namespaces, root or cwd, and whose operations run one after the other.
 * A call costs 60 to 100 µs beside its work (2 cores). Disposing ends the thread; what it made on the host stays.
 */
export class HostThread<O extends ThreadOperations> implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #name: string;
  readonly #lastCall: string | undefined;
  readonly #waiting = new Map<number, Waiting>();
  readonly #whenEnded = Promise.withResolvers<CtlError>();
  #nextId = 1;
  #ended: CtlError | undefined;

  private constructor(worker: Worker, { name, lastCall }: ThreadStart) {
    this.#worker = worker;
    this.#name = name;
    this.#lastCall = lastCall;
    worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    worker.on("error", (cause) => this.#end(cause));
    worker.on("exit", () => this.#end(undefined));
  }

  /** About 30 ms. Throws UNAVAILABLE HOST_THREAD_ENDED when its program fails at once. */
  static async start<O extends ThreadOperations>(start: ThreadStart, signal: AbortSignal): Promise<HostThread<O>> {
    const worker = new Worker(start.program, { name: start.name, workerData: start.data });
    const thread = new HostThread<O>(worker, start);
    const ready = Promise.withResolvers<unknown>();
    thread.#waiting.set(0, ready);
    try {
      await raceSignal(ready.promise, signal, `start the thread ${start.name}`);
    } catch (error) {
      await thread[Symbol.asyncDispose]();
      throw error;
    }
    return thread;
  }

  /** Resolves when the thread has ended, disposed or not. */
  get ended(): Promise<CtlError> {
    return this.#whenEnded.promise;
  }

  /**
   * Runs one operation and throws what it threw (SyscallError, CtlError), or UNAVAILABLE HOST_THREAD_ENDED. It takes no
   * signal: an operation is a few system calls, and one that makes something must be known to have ended.
   */
  async call<K extends keyof O & string>(operation: K, request: Parameters<O[K]>[0]): Promise<ReturnType<O[K]>> {
    return (await this.#ask(operation, request)) as ReturnType<O[K]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#lastCall !== undefined) await this.#ask(this.#lastCall, undefined).catch(() => {}); // it may have ended
    await this.#worker.terminate();
  }

  #ask(operation: string, request: unknown): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, operation, request } satisfies ThreadRequest);
    return promise;
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === "result") waiting?.resolve(reply.result);
    else waiting?.reject(errorOf(reply));
  }

  #end(cause: unknown): void {
    this.#ended ??= new CtlError("UNAVAILABLE", {
      reason: "HOST_THREAD_ENDED",
      what: `use the thread ${this.#name}`,
      why: "it has ended",
      fix: "the service is starting anew; try again in a moment",
      cause,
    });
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
    this.#whenEnded.resolve(this.#ended);
  }
}

function errorOf(reply: Exclude<ThreadReply, { kind: "result" }>): unknown {
  if (reply.kind === "syscall") return new SyscallError(reply.syscall, reply.errno, reply.detail);
  if (reply.kind === "ctl") return new CtlError(reply.code, { reason: reply.reason, ...reply.facts });
  return reply.error;
}
