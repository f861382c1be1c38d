import { sleep } from "../../kit/deadlines.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { removeSandbox, type Sandbox, type SandboxDeps } from "./sandbox.ts";

const QUIET_MS = 250;
const MAX_WAIT_MS = 3_000;
const LOOK_MS = 50;

/**
 * Sandboxes that have lost their rows, removed when nobody is being served, several at once: the kernel takes a namespace
 * apart under the lock that every change of a link or an address needs, 10 to 40 ms each, and about the same for many. What
 * a crash leaves, reconcile finds: no row owns it.
 */
export class SandboxRemovals implements AsyncDisposable {
  readonly #deps: SandboxDeps;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #waiting: Sandbox[] = [];
  #lastBusyMs = 0;
  #running: Promise<void> | undefined;

  constructor(deps: SandboxDeps, log: Logger) {
    this.#deps = deps;
    this.#log = log;
  }

  add(sandbox: Sandbox): void {
    this.#waiting.push(sandbox);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Somebody is being served who would wait for the kernel's lock. */
  postpone(): void {
    this.#lastBusyMs = performance.now();
  }

  /** Those that wait are removed now. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#quiet();
      for (const sandbox of this.#waiting.splice(0)) {
        await removeSandbox(this.#deps, sandbox).catch((error: unknown) => {
          this.#log.warn({ err: error }, "sandbox not removed; reconcile will");
        });
      }
    }
  }

  async #quiet(): Promise<void> {
    const begin = performance.now();
    for (;;) {
      const now = performance.now();
      if (now - begin > MAX_WAIT_MS || now - Math.max(this.#lastBusyMs, begin) > QUIET_MS) return;
      await sleep(LOOK_MS, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted) return;
    }
  }
}
