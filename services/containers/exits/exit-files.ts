import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { abortError } from "../../kit/deadlines.ts";
import { type ContainerId, isContainerId } from "../spec/spec.ts";

/** The end of one run of a container, as conmon left it. */
export interface RunExit {
  readonly containerId: ContainerId;
  readonly run: number;
  /** 128 + N when signal N ended it. */
  readonly exitCode: number;
  readonly finishedAt: Date;
  /** conmon saw the kernel kill for want of memory. */
  readonly isOomKilled: boolean;
}

const RESCAN_MS = 2_000;
const FILE_NAME = /^([0-9a-f]{64})\.(\d+)$/;
const UNFINISHED_NAME = /^[0-9a-f]{64}\.\d+\.\w{6}$/;
const UNFINISHED_AGE_MS = 60_000;

/**
 * The exits that are to be recorded: conmon writes one file for each run, named after it, into one directory, whoever
 * is there to see it. Level-triggered: a file stays until `forget`, and the watch only says when to look again.
 */
export class Exits implements Disposable {
  readonly #directory: string;
  readonly #bundleOf: (id: ContainerId) => string;
  readonly #watcher: FSWatcher;
  #version = 0;
  #next = Promise.withResolvers<void>();

  private constructor(directory: string, bundleOf: (id: ContainerId) => string) {
    this.#directory = directory;
    this.#bundleOf = bundleOf;
    this.#watcher = watch(directory, { persistent: false }, () => this.#noteChange());
    // without inotify (its limits are per user) the rescans do it, only later
    this.#watcher.on("error", () => this.#watcher.close());
  }

  /** `bundleOf` says where a container's bundle is, in which conmon leaves its OOM mark. */
  static async open(directory: string, bundleOf: (id: ContainerId) => string): Promise<Exits> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await removeUnfinished(directory);
    return new Exits(directory, bundleOf);
  }

  /** All exits that nobody has forgotten, oldest first; those that the caller works on already (`ID.RUN`) are not read. */
  async pending(isKnown: (name: string) => boolean = () => false): Promise<RunExit[]> {
    const names = (await readdir(this.#directory)).filter((name) => !isKnown(name));
    const found = await Promise.all(names.map((name) => this.#readName(name)));
    return found.flatMap((one) => one ?? []).sort((a, b) => a.finishedAt.getTime() - b.finishedAt.getTime());
  }

  /** The exit of one run; undefined while it runs, and once it is forgotten. */
  async find(containerId: ContainerId, run: number): Promise<RunExit | undefined> {
    return this.#readName(`${containerId}.${run}`);
  }

  /** It is recorded elsewhere. Idempotent. */
  async forget({ containerId, run }: Pick<RunExit, "containerId" | "run">): Promise<void> {
    await rm(join(this.#directory, `${containerId}.${run}`), { force: true });
  }

  /** Yields when it is time to look: at once, after each change, and every 2 s in any case. Ends by throwing at abort. */
  async *changes(signal: AbortSignal): AsyncGenerator<void> {
    for (let seen = -1; ; ) {
      if (seen === this.#version) await this.#nextChange(signal);
      if (signal.aborted) throw abortError(signal, "wait for containers to exit");
      seen = this.#version;
      yield;
    }
  }

  /** Waits for the end of one run. */
  async ended(containerId: ContainerId, run: number, signal: AbortSignal): Promise<RunExit> {
    for await (const _ of this.changes(signal)) {
      const exit = await this.find(containerId, run);
      if (exit !== undefined) return exit;
    }
    throw abortError(signal, "wait for a container to exit");
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }

  async #readName(name: string): Promise<RunExit | undefined> {
    const [, containerId = "", run] = FILE_NAME.exec(name) ?? []; // conmon's temporary files have a longer name
    if (!isContainerId(containerId)) return undefined;
    try {
      const path = join(this.#directory, name);
      const [text, stats, isOomKilled] = await Promise.all([
        readFile(path, "utf8"),
        stat(path),
        this.#isOom(containerId),
      ]);
      const exitCode = Number.parseInt(text, 10);
      if (Number.isNaN(exitCode)) return undefined;
      return { containerId, run: Number(run), exitCode, finishedAt: stats.mtime, isOomKilled };
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  async #isOom(containerId: ContainerId): Promise<boolean> {
    return stat(join(this.#bundleOf(containerId), "oom")).then(
      () => true,
      () => false,
    );
  }

  #noteChange(): void {
    const passed = this.#next;
    this.#version++;
    this.#next = Promise.withResolvers<void>();
    passed.resolve();
  }

  async #nextChange(signal: AbortSignal): Promise<void> {
    const woken = Promise.withResolvers<void>();
    const wake = () => woken.resolve();
    const timer = setTimeout(wake, RESCAN_MS);
    signal.addEventListener("abort", wake, { once: true });
    this.#next.promise.then(wake, wake);
    try {
      await woken.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
    }
  }
}

/** A monitor that was killed while it wrote leaves its temporary file. */
async function removeUnfinished(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => UNFINISHED_NAME.test(name));
  for (const path of names.map((name) => join(directory, name))) {
    const written = await stat(path).catch(() => undefined);
    if (written !== undefined && Date.now() - written.mtimeMs > UNFINISHED_AGE_MS) await rm(path, { force: true });
  }
}
