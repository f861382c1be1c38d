import type { AttachRequest, ExecRequest } from "#proto/ctl/containers/v1/containers.ts";
import { AsyncQueue } from "../../services/kit/async-queue.ts";

/** What a client may send on an attachment and on an exec alike; `open` comes first and once. */
export type TerminalRequest = AttachRequest & ExecRequest;
type Input = NonNullable<TerminalRequest["input"]>;

interface Pending {
  readonly input: Input;
  readonly taken: () => void;
}

/** A session's requests: the client's input, no faster than the container takes it. */
export class SessionInput implements AsyncIterable<TerminalRequest> {
  readonly #queue = new AsyncQueue<Pending>();
  readonly #waiting = new Set<() => void>();
  readonly #over = Promise.withResolvers<void>();
  #isClosed = false;

  /** Resolves when the session is over. */
  get closed(): Promise<void> {
    return this.#over.promise;
  }

  /** Resolves when the bytes are on their way, or when the session is over. */
  async stdin(data: Buffer): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    this.#queue.push({ input: { $case: "stdin", value: data }, taken: resolve });
    await promise;
    this.#waiting.delete(resolve);
  }

  closeStdin(): void {
    this.#queue.push({ input: { $case: "closeStdin", value: true }, taken: () => {} });
  }

  /** The client leaves for good: it has all that it wanted, or what runs is to go on without it. */
  leave(): void {
    this.#queue.push({ input: { $case: "detach", value: true }, taken: () => {} });
  }

  /** The session is over: nothing is sent any more, nobody waits any more. */
  close(): void {
    this.#isClosed = true;
    this.#queue.end();
    for (const resolve of this.#waiting) resolve();
    this.#over.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalRequest> {
    for await (const { input, taken } of this.#queue) {
      yield { input };
      taken();
    }
  }
}
