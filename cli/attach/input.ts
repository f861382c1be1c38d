import type { Session } from "./session.ts";

/** Passes our standard input on until it ends; then the process's own ends too. */
export async function pumpStdin(session: Session, detachKeys: Buffer | undefined): Promise<void> {
  const watch = detachKeys === undefined ? undefined : new KeySequence(detachKeys);
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    const { passed, isComplete } = watch?.push(chunk) ?? { passed: chunk, isComplete: false };
    if (passed.length > 0) await session.send({ $case: "stdin", value: passed });
    if (isComplete) {
      session.detach();
      return;
    }
  }
  await session.send({ $case: "closeStdin", value: true });
}

/** Finds a sequence of keys in typed input; what could be its beginning is held back until it is known. */
export class KeySequence {
  readonly #keys: Buffer;
  #matched = 0;

  constructor(keys: Buffer) {
    this.#keys = keys;
  }

  push(chunk: Buffer): { readonly passed: Buffer; readonly isComplete: boolean } {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        passed.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else passed.push(byte);
      if (this.#matched === this.#keys.length) return { passed: Buffer.from(passed), isComplete: true };
    }
    return { passed: Buffer.from(passed), isComplete: false };
  }
}
