import { sleep } from "../../kit/deadlines.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { removeSandbox, removeVeth, type Sandbox, type SandboxDeps } from "./sandbox.ts";

const QUIET_MS = 250;
const MAX_WAIT_MS = 3_000;
const LOOK_MS = 50;
/** In which the kernel has taken a namespace apart that nothing keeps. */
const LINGER_MS = 1_000;

/**
 * Sandboxes that have lost their rows, removed when nobody is being served, several at once: the kernel takes a namespace
 * apart under the lock that every change of a link or an address needs, 10 to 40 ms each, and about the same for many. A
 * connection that its peer never closed keeps a namespace for minutes; its links are deleted then, which is what can be
 * seen of it. What a crash leaves, reconcile finds: no row owns it.
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
      await this.#quiet(QUIET_MS);
      const removed = this.#waiting.splice(0);
      for (const sandbox of removed) await this.#reporting(() => removeSandbox(this.#deps, sandbox));
      if (this.#stop.signal.aborted) continue;
      await this.#quiet(LINGER_MS);
      await this.#reporting(() => this.#deleteLinks(removed));
    }
  }

  async #deleteLinks(removed: readonly Sandbox[]): Promise<void> {
    const links = new Set((await this.#deps.thread.call("listLinks", undefined)).map(({ name }) => name));
    for (const veth of removed.flatMap(({ veths }) => veths)) {
      if (links.has(veth.hostLink)) await removeVeth(this.#deps, veth);
    }
  }

  async #reporting(work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => this.#log.warn({ err: error }, "sandbox not removed; reconcile will"));
  }

  async #quiet(quietMs: number): Promise<void> {
    const begin = performance.now();
    for (;;) {
      const now = performance.now();
      if (now - begin > MAX_WAIT_MS || now - Math.max(this.#lastBusyMs, begin) > quietMs) return;
      await sleep(LOOK_MS, this.#stop.signal).catch(() => {});
      if (this.#stop.signal.aborted) return;
    }
  }
}
