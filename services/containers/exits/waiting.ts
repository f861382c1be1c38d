/** Who waits for what happens next to one of many subjects. */
export class Waiting<T> {
  readonly #bySubject = new Map<string, Set<(value: T) => void>>();

  /** What happens to it from the moment of the call on. Dispose it when it is not wanted any more. */
  next(subject: string): { readonly happened: Promise<T> } & Disposable {
    const { promise, resolve } = Promise.withResolvers<T>();
    const waiting = this.#bySubject.get(subject) ?? new Set();
    this.#bySubject.set(subject, waiting.add(resolve));
    return {
      happened: promise,
      [Symbol.dispose]: () => {
        waiting.delete(resolve);
        if (waiting.size === 0 && this.#bySubject.get(subject) === waiting) this.#bySubject.delete(subject);
      },
    };
  }

  tell(subject: string, value: T): void {
    const waiting = this.#bySubject.get(subject);
    this.#bySubject.delete(subject);
    for (const resolve of waiting ?? []) resolve(value);
  }
}
