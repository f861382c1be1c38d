import { stat } from "node:fs/promises";
import type { Database } from "../../kit/database.ts";
import { deadline, sleep } from "../../kit/deadlines.ts";
import { inParallel } from "../../kit/parallel.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import { containerPaths } from "../paths.ts";
import { allContainers, type ContainerRow, upContainers } from "../store/containers.ts";
import { policyOf } from "./drivers/option-values.ts";
import { type LogPolicy, rotateLog, tidyGenerations } from "./rotate.ts";

export interface RotationDeps {
  readonly db: Database;
  readonly node: string;
  readonly root: string;
  readonly log: Logger;
}

const ROUND_MS = 2_000;
/** Between two looks at a log that grows so fast that it reaches its cap before the next round. */
const SHORTEST_MS = 50;
const ONE_TIMEOUT_MS = 10_000;
/** A file is compressed when it has been left for so long: of what is written fast, most is deleted before that. */
const SETTLED_MS = 10_000;

/**
 * The duty's: looks for logs that have grown over their cap, until the signal aborts: every 2 s, and sooner where one's
 * growth says so. A look is one stat.
 */
export async function rotateForEver(deps: RotationDeps, signal: AbortSignal): Promise<void> {
  const rotations = new Rotations(deps);
  for (const row of await allContainers(deps.db, deps.node)) rotations.tidyLater(row);
  while (!signal.aborted) {
    const rows = await upContainers(deps.db, deps.node);
    const roundEndsAt = performance.now() + ROUND_MS;
    await rotations.tidy();
    for (;;) {
      const nextMs = await rotations.rotate(rows, signal);
      const leftMs = roundEndsAt - performance.now();
      await sleep(Math.max(0, Math.min(nextMs, leftMs)), signal).catch(() => {});
      if (nextMs >= leftMs || signal.aborted) break;
    }
  }
}

interface Look {
  readonly sizeBytes: number;
  readonly atMs: number;
}

class Rotations {
  readonly #deps: RotationDeps;
  readonly #looks = new Map<string, Look>();
  /** Containers whose rotated files are still to be compressed. */
  readonly #untidy = new Map<string, LogPolicy>();

  constructor(deps: RotationDeps) {
    this.#deps = deps;
  }

  tidyLater({ id, spec }: ContainerRow): void {
    const policy = policyOf(spec.logging);
    if (policy.compress) this.#untidy.set(id, policy);
  }

  /** Rotates what is over its cap; answers in how many milliseconds the next one may be. */
  async rotate(rows: readonly ContainerRow[], signal: AbortSignal): Promise<number> {
    const looks = await inParallel(rows, (row) => this.#rotateOne(row), signal, 4).catch((): number[] => []);
    const known = new Set(rows.map(({ id }) => id));
    for (const id of this.#looks.keys()) if (!known.has(id)) this.#looks.delete(id);
    return Math.max(SHORTEST_MS, Math.min(ROUND_MS, ...looks));
  }

  async tidy(): Promise<void> {
    const { root, log } = this.#deps;
    for (const [id, policy] of this.#untidy) {
      const isDone = await tidyGenerations(containerPaths(root, id).log, policy, SETTLED_MS).catch((error: unknown) => {
        log.warn({ [attribute.containerId]: id, err: error }, "log not compressed");
        return true;
      });
      if (isDone) this.#untidy.delete(id);
    }
  }

  async #rotateOne(row: ContainerRow): Promise<number> {
    const { id, name, spec } = row;
    const { log: logPath, bundle: bundlePath } = containerPaths(this.#deps.root, id);
    const policy = policyOf(spec.logging);
    const sizeBytes = (await stat(logPath).catch(() => undefined))?.size;
    if (sizeBytes !== undefined && sizeBytes < policy.maxBytes) return this.#untilFull(id, sizeBytes, policy);
    this.#looks.delete(id);
    const ends = deadline(ONE_TIMEOUT_MS, `rotate the log of container ${name}`);
    try {
      const { changed } = await rotateLog({ logPath, bundlePath, policy, settledMs: SETTLED_MS }, ends);
      if (!changed) return ROUND_MS;
      this.tidyLater(row);
      return SHORTEST_MS;
    } catch (error) {
      this.#deps.log.warn({ [attribute.containerId]: id, err: error }, "log not rotated");
      return ROUND_MS;
    }
  }

  /** Milliseconds until it reaches its cap, if it goes on growing as it did. */
  #untilFull(id: string, sizeBytes: number, { maxBytes }: LogPolicy): number {
    const before = this.#looks.get(id);
    const now = { sizeBytes, atMs: performance.now() };
    this.#looks.set(id, now);
    if (before === undefined || sizeBytes <= before.sizeBytes) return ROUND_MS;
    const bytesPerMs = (sizeBytes - before.sizeBytes) / Math.max(1, now.atMs - before.atMs);
    return (maxBytes - sizeBytes) / bytesPerMs;
  }
}
