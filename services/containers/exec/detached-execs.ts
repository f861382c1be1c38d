import type { Database } from "../../kit/database.ts";
import { readProcessStat } from "../../kit/linux/process-identity.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import type { ContainerHost } from "../host/host.ts";
import { containerById } from "../store/containers.ts";
import { type ExecRow, execById, runningExecs } from "../store/execs.ts";
import { detachedEnded, forgetDetached } from "./detached.ts";
import { execDirectory, type RunningExec, recordEnd } from "./session.ts";

export interface DetachedDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly node: string;
  readonly log: Logger;
}

/** An attached exec ends with its service; who asks afterwards gets the code of a KILL. */
const LEFT_EXIT_CODE = 137;

/** Waits for the ends of execs that no client waits for, and records them; also of those that an earlier process started. */
export class DetachedExecs implements AsyncDisposable {
  readonly #deps: DetachedDeps;
  readonly #following = new Map<string, Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(deps: DetachedDeps) {
    this.#deps = deps;
  }

  /** Begins to wait for one that was just started. */
  async follow(id: string): Promise<void> {
    const row = await execById(this.#deps.db, id);
    if (row !== undefined) this.#begin(row);
  }

  /**
   * Takes over an exec whose client has detached: what it writes goes nowhere, as `exec -d`'s does. It still is a child of
   * this process, and ends with it.
   */
  keep(id: string, running: RunningExec, output: AsyncGenerator<unknown>): void {
    const { log } = this.#deps;
    const stop = () => void Promise.resolve(running[Symbol.asyncDispose]()).catch(() => {});
    this.#stopped.signal.addEventListener("abort", stop, { once: true });
    const untilEnd = async () => {
      await using _ = running;
      for await (const _piece of output);
      await running.exitCode;
    };
    const kept = untilEnd()
      .catch((error: unknown) => log.warn({ [attribute.execId]: id, err: error }, "detached exec not followed"))
      .finally(() => {
        this.#stopped.signal.removeEventListener("abort", stop);
        this.#following.delete(id);
      });
    this.#following.set(id, kept);
  }

  /** The duty's: all that run by their rows; one that was attached and whose process is gone has lost its service. */
  async resume(): Promise<void> {
    const { db, node } = this.#deps;
    for (const row of await runningExecs(db, node)) {
      if (row.is_detached) this.#begin(row);
      else if ((await readProcessStat(row.pid)) === undefined) await this.#record(row, LEFT_EXIT_CODE);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#following.values());
  }

  #begin(row: ExecRow): void {
    if (this.#following.has(row.id)) return;
    const { log } = this.#deps;
    const followed = this.#untilEnd(row)
      .catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) log.warn({ [attribute.execId]: row.id, err: error }, "exec not followed");
      })
      .finally(() => this.#following.delete(row.id));
    this.#following.set(row.id, followed);
  }

  async #untilEnd(row: ExecRow): Promise<void> {
    const directory = execDirectory(this.#deps.host, row.container_id, row.id);
    const exitCode = await detachedEnded(directory, this.#stopped.signal);
    await this.#record(row, exitCode);
    await forgetDetached(directory);
  }

  async #record({ id, container_id }: ExecRow, exitCode: number): Promise<void> {
    const container = await containerById(this.#deps.db, container_id);
    if (container !== undefined) await recordEnd(this.#deps.db, container, id, exitCode);
  }
}
