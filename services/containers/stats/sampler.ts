import { setImmediate as nextTurn } from "node:timers/promises";
import type { Db } from "../../kit/database.ts";
import { sleep } from "../../kit/deadlines.ts";
import { isCtlError } from "../../kit/errors.ts";
import { findContainer } from "../find.ts";
import { type StatsRow, type StatsSelection, statsRows } from "../store/stats.ts";
import { type Sample, type SampledHost, sample } from "./sample.ts";

export interface StatsWish {
  /** Empty: those that run, also those that begin to. */
  readonly refs: readonly string[];
  /** Without `refs`: all, whether they run or not. */
  readonly all: boolean;
}

export interface SamplerDeps {
  readonly db: Db;
  readonly node: string;
  readonly host: SampledHost;
}

const EVERY_MS = 1_000;

/**
 * What containers use, each second for as long as somebody watches: one round for all watchers together, so that a second
 * watcher of a container costs nothing, and nobody's watching nothing at all. A round that takes long is followed by a
 * pause as long: it never takes more than half of the thread.
 */
export class StatsSampler {
  readonly #deps: SamplerDeps;
  readonly #watchers = new Set<Watcher>();
  #rounds: AbortController | undefined;
  /** Of the last round: what is seen while the database is away. */
  #rows: readonly StatsRow[] = [];
  /** Of the last round: what somebody sees at once who comes while others watch. */
  #selection: StatsSelection = { ids: [], others: "none" };
  #samples: readonly Seen[] = [];

  constructor(deps: SamplerDeps) {
    this.#deps = deps;
  }

  /** One sample, read now. Throws NOT_FOUND CONTAINER_NOT_FOUND. */
  async once(wish: StatsWish): Promise<readonly Sample[]> {
    const { db, node, host } = this.#deps;
    const selection = await this.#select(wish);
    const rows = await statsRows(db, node, selection);
    return chosen(await sampleAll(rows, host), selection);
  }

  /**
   * A sample in each round, the newest where the caller is slower. Ends with the signal, and when none of `refs` is left.
   * Throws NOT_FOUND CONTAINER_NOT_FOUND before the first.
   */
  async *watch(wish: StatsWish, signal: AbortSignal): AsyncGenerator<readonly Sample[]> {
    using watcher = this.#begin(await this.#select(wish));
    const leave = () => watcher.wake();
    signal.addEventListener("abort", leave, { once: true });
    try {
      while (!signal.aborted) {
        const samples = await watcher.next(signal);
        if (samples === undefined || (wish.refs.length > 0 && samples.length === 0)) return;
        yield samples;
      }
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  async #select({ refs, all }: StatsWish): Promise<StatsSelection> {
    const rows = await Promise.all(refs.map((ref) => findContainer(this.#deps.db, ref)));
    const ids = [...new Set(rows.map(({ id }) => id))];
    if (refs.length > 0) return { ids, others: "none" };
    return { ids, others: all ? "all" : "running" };
  }

  #begin(selection: StatsSelection): Watcher {
    const watcher = new Watcher(selection, () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#rounds?.abort();
    });
    this.#watchers.add(watcher);
    if (this.#rounds !== undefined && !this.#rounds.signal.aborted) {
      const known = chosen(this.#samples, selection);
      if (covers(this.#selection, selection) && known.length > 0) watcher.offer(known);
    } else {
      this.#rounds = new AbortController();
      void this.#keepRounds(this.#rounds.signal);
    }
    return watcher;
  }

  /** Never rejects: what fails is told to those who watch. */
  async #keepRounds(ends: AbortSignal): Promise<void> {
    while (!ends.aborted) {
      const begun = performance.now();
      await this.#round().catch((error: unknown) => {
        for (const watcher of this.#watchers) watcher.fail(error);
      });
      const tookMs = performance.now() - begun;
      await sleep(Math.max(EVERY_MS - tookMs, tookMs), ends).catch(() => {});
    }
  }

  async #round(): Promise<void> {
    const watchers = [...this.#watchers];
    const selection = together(watchers.map((watcher) => watcher.selection));
    const rows = await this.#readRows(selection);
    this.#samples = await sampleAll(rows, this.#deps.host);
    this.#selection = selection;
    // one that came meanwhile has not been asked for
    for (const watcher of watchers) watcher.offer(chosen(this.#samples, watcher.selection));
  }

  async #readRows(selection: StatsSelection): Promise<readonly StatsRow[]> {
    const { db, node } = this.#deps;
    try {
      this.#rows = await statsRows(db, node, selection);
    } catch (error) {
      if (!isCtlError(error, "UNAVAILABLE") || this.#rows.length === 0) throw error;
    }
    return this.#rows;
  }
}

/** What somebody sees who watches. */
class Watcher implements Disposable {
  readonly selection: StatsSelection;
  readonly #onLeave: () => void;
  #newest: readonly Sample[] | undefined;
  #failure: { readonly error: unknown } | undefined;
  #woken = Promise.withResolvers<void>();

  constructor(selection: StatsSelection, onLeave: () => void) {
    this.selection = selection;
    this.#onLeave = onLeave;
  }

  offer(samples: readonly Sample[]): void {
    this.#newest = samples;
    this.wake();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.wake();
  }

  wake(): void {
    this.#woken.resolve();
  }

  /** Undefined: the signal has aborted. */
  async next(signal: AbortSignal): Promise<readonly Sample[] | undefined> {
    if (!signal.aborted) await this.#woken.promise;
    this.#woken = Promise.withResolvers();
    if (signal.aborted) return undefined;
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#newest;
  }

  [Symbol.dispose](): void {
    this.#onLeave();
  }
}

/** The thread is left after each container: with a thousand of them others wait no longer than for one. */
async function sampleAll(rows: readonly StatsRow[], host: SampledHost): Promise<Seen[]> {
  const samples: Seen[] = [];
  for (const row of rows) {
    samples.push({ ...sample(row, host), row });
    await nextTurn();
  }
  return samples;
}

type Seen = Sample & { readonly row: StatsRow };

/** In the order that was asked for, or newest first. */
function chosen(samples: readonly Seen[], { ids, others }: StatsSelection): Sample[] {
  if (others === "all") return [...samples];
  if (others === "running") return samples.filter(({ row }) => row.state === "running" || row.state === "paused");
  const byId = new Map(samples.map((one) => [one.id, one]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

function covers(wide: StatsSelection, { ids, others }: StatsSelection): boolean {
  if (others !== "none") return wide.others === others || wide.others === "all";
  return ids.every((id) => wide.ids.includes(id));
}

function together(selections: readonly StatsSelection[]): StatsSelection {
  const others = (["all", "running"] as const).find((one) => selections.some((selection) => selection.others === one));
  return { ids: [...new Set(selections.flatMap(({ ids }) => ids))], others: others ?? "none" };
}
