/**
 * Values from callbacks as an async iterable, for one consumer. Unbounded: use it where the producer makes few values
 * or waits by itself. `fail` and `end` come after everything pushed before.
 */
export class AsyncQueue<T> implements AsyncIterable<T> {
  readonly #values: T[] = [];
  #state:
    | { readonly kind: "open" }
    | { readonly kind: "ended" }
    | { readonly kind: "failed"; readonly error: unknown } = {
    kind: "open",
  };
  #wake = Promise.withResolvers<void>();

  push(value: T): void {
    if (this.#state.kind !== "open") return;
    this.#values.push(value);
    this.#wake.resolve();
  }

  end(): void {
    if (this.#state.kind === "open") this.#state = { kind: "ended" };
    this.#wake.resolve();
  }

  fail(error: unknown): void {
    if (this.#state.kind === "open") this.#state = { kind: "failed", error };
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#values.length > 0) yield this.#values.shift() as T;
      if (this.#state.kind === "failed") throw this.#state.error;
      if (this.#state.kind === "ended") return;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}
