import { Worker } from "node:worker_threads";
import { raceSignal } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { SyscallError } from "../../kit/linux/libc.ts";
import type { HostOperations } from "./program.ts";
import type { ThreadReply, ThreadRequest } from "./serve.ts";

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: unknown) => void };

/**
 * The one thread of the networks service that enters network namespaces, and that owns the host's netlink sockets and
 * the libnftables context. A call costs 60 µs beside its work (2 cores); the calls run one after the other.
 */
export class HostThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #whenEnded = Promise.withResolvers<CtlError>();
  #nextId = 1;
  #ended: CtlError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (reply: ThreadReply) => this.#settle(reply));
    worker.on("error", (cause) => this.#end(cause));
    worker.on("exit", () => this.#end(undefined));
  }

  /** Starts the thread in this process's network namespace; about 30 ms. Dispose it last: what it made on the host stays. */
  static async start(signal: AbortSignal): Promise<HostThread> {
    const worker = new Worker(new URL("./program.ts", import.meta.url), { name: "ctl-networks-host" });
    const thread = new HostThread(worker);
    const ready = Promise.withResolvers<unknown>();
    thread.#waiting.set(0, ready);
    try {
      await raceSignal(ready.promise, signal, "start the thread of the host's network");
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
   * Runs one operation. Throws SyscallError with the kernel's words when it refuses, UNAVAILABLE HOST_THREAD_ENDED when
   * the thread is gone. Takes no signal on purpose: every operation ends within milliseconds (netlink's own limit is
   * 5 s), and one that makes something must be known to have ended.
   */
  async call<K extends keyof HostOperations & string>(
    operation: K,
    request: Parameters<HostOperations[K]>[0],
  ): Promise<ReturnType<HostOperations[K]>> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, operation, request } satisfies ThreadRequest);
    return (await promise) as ReturnType<HostOperations[K]>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === undefined) await this.call("close", undefined).catch(() => {}); // it may end instead
    await this.#worker.terminate();
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.kind === "result") waiting?.resolve(reply.result);
    else if (reply.kind === "bug") waiting?.reject(reply.error);
    else waiting?.reject(new SyscallError(reply.syscall, reply.errno, reply.detail));
  }

  #end(cause: unknown): void {
    this.#ended ??= new CtlError("UNAVAILABLE", {
      reason: "HOST_THREAD_ENDED",
      what: "change the host's network",
      why: "the thread that does it has ended",
      fix: "the networks service is starting anew; try again in a moment",
      cause,
    });
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
    this.#whenEnded.resolve(this.#ended);
  }
}
