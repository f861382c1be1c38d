import type { Logger } from "../../kit/telemetry/log.ts";
import { removeSandbox, type Sandbox, type SandboxDeps } from "./sandbox.ts";

/**
 * Sandboxes that have lost their rows, removed behind the caller's back: the kernel takes them apart under a lock that the
 * next container's links need too. What a crash leaves, reconcile finds: no row owns it.
 */
export class SandboxRemovals implements AsyncDisposable {
  readonly #deps: SandboxDeps;
  readonly #log: Logger;
  #last: Promise<void> = Promise.resolve();

  constructor(deps: SandboxDeps, log: Logger) {
    this.#deps = deps;
    this.#log = log;
  }

  add(sandbox: Sandbox): void {
    this.#last = this.#last
      .then(() => removeSandbox(this.#deps, sandbox))
      .catch((error: unknown) => this.#log.warn({ err: error }, "sandbox not removed; reconcile will"));
  }

  /** Waits for those under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
  }
}
