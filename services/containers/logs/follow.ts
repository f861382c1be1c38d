import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import { abortError } from "../../kit/deadlines.ts";
import { type GenerationReader, listGenerations, openGeneration } from "./generations.ts";
import { type LogPosition, type LogRecord, RecordParser } from "./record.ts";

const LOOK_MS = 1_000;

export interface FollowRequest {
  readonly logPath: string;
  readonly from: LogPosition;
  /**
   * Undefined: end at what is there now. Else go on with what is written later, until `ended` resolves (the run's exit
   * file is there, and conmon writes that last) and all is read.
   */
  readonly until: { readonly ended: Promise<unknown> } | undefined;
}

/**
 * The records from a position on, over rotations, in the pieces in which they were read. A follower opens each new
 * generation when it appears, so that rotation deletes none that it has still to read.
 */
export async function* followLog(request: FollowRequest, signal: AbortSignal): AsyncGenerator<LogRecord[]> {
  await using files = new FollowedFiles(request.logPath, request.until !== undefined);
  let hasEnded = request.until === undefined;
  const end = () => {
    hasEnded = true;
    files.wake();
  };
  request.until?.ended.then(end, end);
  let position = request.from;
  for (;;) {
    await using reader = await files.open(position);
    if (reader !== undefined) position = { generation: reader.number, offset: reader.start };
    const parser = new RecordParser(position);
    for (;;) {
      if (signal.aborted) throw abortError(signal, "read a container's log");
      const isLast = hasEnded; // asked before the read that finds nothing
      yield* reader === undefined ? [] : untilEnd(reader, parser);
      const next = await files.nextNumber(position.generation);
      if (reader !== undefined && next !== undefined) {
        // conmon has left this file, so once more to the end and it is all
        yield* untilEnd(reader, parser);
        position = { generation: next, offset: 0 };
        break;
      }
      if (isLast) return;
      await files.changed(signal);
      if (reader === undefined) break;
    }
  }
}

async function* untilEnd(reader: GenerationReader, parser: RecordParser): AsyncGenerator<LogRecord[]> {
  for (let piece = await reader.read(); piece.length > 0; piece = await reader.read()) {
    const records = parser.push(piece);
    if (records.length > 0) yield records;
  }
}

/** The log's directory, watched, with the readers of generations that are not yet wanted. */
class FollowedFiles implements AsyncDisposable {
  readonly #logPath: string;
  readonly #watcher: FSWatcher | undefined;
  readonly #ahead = new Map<number, GenerationReader>();
  #opening: Promise<void> | undefined;
  #wake = Promise.withResolvers<void>();
  #isChanged = false;

  constructor(logPath: string, isFollowing: boolean) {
    this.#logPath = logPath;
    this.#watcher = isFollowing ? this.#watch() : undefined;
  }

  /** Undefined: the log does not exist yet. A position that rotation has deleted becomes the oldest that is left. */
  async open(from: LogPosition): Promise<GenerationReader | undefined> {
    await this.#opening;
    const ahead = from.offset === 0 ? this.#ahead.get(from.generation) : undefined;
    this.#ahead.delete(from.generation);
    if (ahead !== undefined) return ahead;
    const exact = await openGeneration(this.#logPath, from.generation, from.offset);
    if (exact !== undefined) return exact;
    const later = (await listGenerations(this.#logPath)).find(({ number }) => number > from.generation);
    return later === undefined ? undefined : openGeneration(this.#logPath, later.number, 0);
  }

  /** The generation that follows; undefined: there is none yet. */
  async nextNumber(after: number): Promise<number | undefined> {
    await this.#opening;
    const ahead = [...this.#ahead.keys()].filter((number) => number > after);
    const listed = (await listGenerations(this.#logPath)).map(({ number }) => number);
    const later = [...ahead, ...listed.filter((number) => number > after)];
    return later.length === 0 ? undefined : Math.min(...later);
  }

  async changed(signal: AbortSignal): Promise<void> {
    const wake = () => this.wake();
    const timer = setTimeout(wake, LOOK_MS);
    signal.addEventListener("abort", wake, { once: true });
    try {
      if (!this.#isChanged) await this.#wake.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      this.#wake = Promise.withResolvers<void>();
      this.#isChanged = false;
    }
  }

  wake(): void {
    this.#isChanged = true;
    this.#wake.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close();
    await this.#opening;
    for (const reader of this.#ahead.values()) await reader[Symbol.asyncDispose]();
  }

  #watch(): FSWatcher | undefined {
    const name = basename(this.#logPath);
    try {
      const watcher = watch(dirname(this.#logPath), { persistent: false }, (event, file) => {
        if (file !== name) return;
        if (event === "rename") this.#openAhead();
        this.wake();
      });
      watcher.on("error", () => watcher.close());
      return watcher;
    } catch {
      return undefined; // no inotify instance left, or no directory yet: the looks every second do it
    }
  }

  /** The log was renamed or a new one appeared: hold the newest. */
  #openAhead(): void {
    this.#opening = (this.#opening ?? Promise.resolve()).then(async () => {
      const newest = (await listGenerations(this.#logPath)).at(-1);
      if (newest === undefined || newest.kind !== "current" || this.#ahead.has(newest.number)) return;
      const reader = await openGeneration(this.#logPath, newest.number, 0);
      if (reader !== undefined) this.#ahead.set(newest.number, reader);
    });
  }
}
