import { raceSignal } from "../kit/deadlines.ts";

/**
 * One at a time for each holder: what an acquire does to the host after its commit is not overtaken by the undo that
 * follows it. Within this process; between replicas reconcile mends what a kill leaves.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Waits for those who came before. Dispose it to let the next one in. */
  async take(holder: string, signal: AbortSignal): Promise<Disposable> {
    const before = this.#last.get(holder);
    const { promise, resolve } = Promise.withResolvers<void>();
    const mine = before === undefined ? promise : before.then(() => promise);
    this.#last.set(holder, mine);
    const end = () => {
      resolve();
      if (this.#last.get(holder) === mine) this.#last.delete(holder);
    };
    try {
      if (before !== undefined) await raceSignal(before, signal, `wait for another change of ${holder.slice(0, 12)}`);
    } catch (error) {
      end();
      throw error;
    }
    return { [Symbol.dispose]: end };
  }
}
