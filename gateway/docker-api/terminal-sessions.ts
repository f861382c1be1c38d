import type { TerminalSize } from "#proto/ctl/containers/v1/containers.ts";
import type { SessionInput } from "./session-input.ts";

/**
 * Attachments and execs that clients of this gateway have open. In Docker's API a terminal's size comes in a request of
 * its own, in our contract on the session's stream: this finds the stream. As many entries as open connections.
 */
export class TerminalSessions {
  readonly #open = new Map<string, Set<SessionInput>>();

  /** @param id the container's or the exec's. */
  open(id: string, input: SessionInput): Disposable {
    const inputs = this.#open.get(id) ?? new Set();
    this.#open.set(id, inputs.add(input));
    return {
      [Symbol.dispose]: () => {
        inputs.delete(input);
        if (inputs.size === 0) this.#open.delete(id);
      },
    };
  }

  /** False: no session of that id is open here. */
  resize(id: string, size: TerminalSize): boolean {
    const inputs = this.#open.get(id);
    for (const input of inputs ?? []) input.resize(size);
    return inputs !== undefined;
  }
}
