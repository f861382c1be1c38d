import { raceSignal } from "../../kit/deadlines.ts";

/**
 * One thing at a time per container: every call that touches its monitor, runtime or mounts waits for the one before, no
 * longer than its own signal; what concerns other containers never waits.
 */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(id: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#tails.get(id) ?? Promise.resolve();
    const done = Promise.withResolvers<void>();
    const tail = before.then(() => done.promise);
    this.#tails.set(id, tail);
    try {
      await raceSignal(before, signal, `wait for what is under way with container ${id.slice(0, 12)}`);
      return await work();
    } finally {
      done.resolve();
      if (this.#tails.get(id) === tail) this.#tails.delete(id);
    }
  }
}
