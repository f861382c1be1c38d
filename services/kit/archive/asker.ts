import type { MessagePort } from "node:worker_threads";
import { AsyncQueue } from "../async-queue.ts";
import { CtlError } from "../errors.ts";
import { SyscallError, syscallFailure } from "../linux/libc.ts";
import { toFailure } from "../linux/thread-failure.ts";
import { type FromThread, type ToThread, WINDOW } from "./job-messages.ts";

const BATCH_BYTES = 128 << 10;

/** Does one job in this thread and answers over the port, which it closes. Never rejects. */
export async function answerJob<Part>(
  { port, what }: { readonly port: MessagePort; readonly what: string },
  work: (asker: Asker<Part>) => Promise<void>,
): Promise<void> {
  const asker = new Asker<Part>(port, what);
  try {
    await work(asker);
    asker.post({ kind: "done" });
  } catch (error) {
    asker.post({
      kind: "failed",
      failure: toFailure(error instanceof SyscallError ? syscallFailure(error, what) : error),
    });
  } finally {
    port.close();
  }
}

/** Sends what is made in pieces of 128 KiB, so that a message carries many small entries. */
export async function sendArchive(
  chunks: Iterable<Uint8Array>,
  asker: Asker<{ readonly kind: "data"; readonly bytes: Uint8Array }>,
): Promise<void> {
  let batch: Uint8Array[] = [];
  let size = 0;
  const flush = async () => {
    if (size > 0) await asker.send({ kind: "data", bytes: Buffer.concat(batch) });
    [batch, size] = [[], 0];
  };
  for (const chunk of chunks) {
    batch.push(chunk);
    size += chunk.length;
    if (size >= BATCH_BYTES) await flush();
  }
  await flush();
}

/** Whoever asked for the job: takes parts as fast as it can use them, and may leave. */
export class Asker<Part> {
  readonly #port: MessagePort;
  readonly #what: string;
  readonly #chunks = new AsyncQueue<Uint8Array>();
  readonly #stopped = Promise.withResolvers<never>();
  #room = WINDOW;
  #more = Promise.withResolvers<void>();

  constructor(port: MessagePort, what: string) {
    this.#port = port;
    this.#what = what;
    this.#stopped.promise.catch(() => {});
    port.on("message", (message: ToThread) => this.#take(message));
    port.on("close", () => this.#stop());
  }

  post(message: FromThread<Part>): void {
    this.#port.postMessage(message);
  }

  /** Waits until there is room. Throws CANCELLED once nobody wants it any more. */
  async send(part: Part): Promise<void> {
    while (this.#room === 0) {
      this.#more = Promise.withResolvers();
      await Promise.race([this.#more.promise, this.#stopped.promise]);
    }
    this.#room--;
    this.post({ kind: "part", part });
    // a turn of the event loop: what says stop must be heard between two parts
    await Promise.race([new Promise((resolve) => setImmediate(resolve)), this.#stopped.promise]);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.#chunks) {
      yield chunk;
      this.post({ kind: "consumed" });
    }
  }

  #take(message: ToThread): void {
    if (message.kind === "chunk") this.#chunks.push(message.bytes);
    else if (message.kind === "end") this.#chunks.end();
    else if (message.kind === "stop") this.#stop();
    else {
      this.#room++;
      this.#more.resolve();
    }
  }

  #stop(): void {
    const why = "it is no longer wanted";
    const error = new CtlError("CANCELLED", { reason: "CANCELLED", what: this.#what, why });
    this.#chunks.fail(error);
    this.#stopped.reject(error);
  }
}
