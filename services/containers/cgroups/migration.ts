import { writeFile } from "node:fs/promises";
import { type CgroupLayout, ownProcsFile } from "./layout.ts";

const EVERY_MS = 3;

/**
 * Keeps moving processes between cgroups fast for a moment. The first move after a pause waits for an RCU grace period
 * (cgroup_threadgroup_rwsem): 7 to 30 ms of a start's 40 on an idle host, while a move shortly after another one takes
 * 0.1 ms. So from the moment when a start is on its way this writes the process into the cgroup where it already is,
 * until the runtime has moved the container's. It changes nothing, and stops by itself.
 */
export class WarmMigration implements AsyncDisposable {
  readonly #procsFile: string;
  #untilMs = 0;
  #running: Promise<void> | undefined;

  private constructor(procsFile: string) {
    this.#procsFile = procsFile;
  }

  /** Undefined where this process has no cgroup that it can see. */
  static async open(layout: CgroupLayout): Promise<WarmMigration | undefined> {
    const file = await ownProcsFile(layout);
    return file === undefined ? undefined : new WarmMigration(file);
  }

  /** A container or an exec will be started within so many milliseconds. */
  expect(withinMs: number): void {
    this.#untilMs = Math.max(this.#untilMs, performance.now() + withinMs);
    this.#running ??= this.#keepWarm();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#untilMs = 0;
    await this.#running;
  }

  async #keepWarm(): Promise<void> {
    while (performance.now() < this.#untilMs) {
      const isWritten = await this.#touch();
      if (!isWritten) break;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    this.#running = undefined;
  }

  async #touch(): Promise<boolean> {
    try {
      await writeFile(this.#procsFile, String(process.pid));
      return true;
    } catch {
      // a host that does not let us write here has slower starts, and that is all
      return false;
    }
  }
}
