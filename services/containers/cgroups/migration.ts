import { type FileHandle, open } from "node:fs/promises";
import { type CgroupLayout, ownProcsFile } from "./layout.ts";

const EVERY_MS = 3;
/** To the kernel the process that writes, whatever its number in whose namespace. */
const OWN_PID = "0";

/**
 * Keeps moving processes between cgroups fast for a moment. The first move after a pause waits for an RCU grace period
 * (cgroup_threadgroup_rwsem): 7 to 30 ms of a start's 40 on an idle host, while a move shortly after another one takes
 * 0.1 ms. So from the moment when a start is on its way this writes the process into the cgroup where it already is,
 * until the runtime has moved the container's. It changes nothing, and stops when that is over.
 */
export class WarmMigration implements AsyncDisposable {
  readonly #procs: FileHandle;
  /** When each start that is on its way is not expected any more. */
  readonly #expected = new Map<string, number>();
  #running: Promise<void> | undefined;

  private constructor(procs: FileHandle) {
    this.#procs = procs;
  }

  /** Undefined where this process has no cgroup that it can see. */
  static async open(layout: CgroupLayout): Promise<WarmMigration | undefined> {
    const file = await ownProcsFile(layout);
    const procs = file === undefined ? undefined : await open(file, "w").catch(() => undefined);
    return procs === undefined ? undefined : new WarmMigration(procs);
  }

  /** The container or exec `id` will be started within so many milliseconds. */
  expect(id: string, withinMs: number): void {
    this.#expected.set(id, performance.now() + withinMs);
    this.#running ??= this.#keepWarm();
  }

  /** It was started, or will not be. */
  over(id: string): void {
    this.#expected.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#expected.clear();
    await this.#running;
    await this.#procs.close();
  }

  async #keepWarm(): Promise<void> {
    while (this.#isExpecting() && (await this.#touch())) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    this.#running = undefined;
  }

  #isExpecting(): boolean {
    for (const [id, untilMs] of this.#expected) if (untilMs < performance.now()) this.#expected.delete(id);
    return this.#expected.size > 0;
  }

  async #touch(): Promise<boolean> {
    try {
      await this.#procs.write(OWN_PID);
      return true;
    } catch {
      // a host that does not let us write here has slower starts, and that is all
      return false;
    }
  }
}
