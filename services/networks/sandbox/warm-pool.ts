import { backoffMs } from "../../kit/backoff.ts";
import { sleep } from "../../kit/deadlines.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import {
  type Attachment,
  makeSandbox,
  netnsPathOf,
  newSandboxId,
  removeSandbox,
  type Sandbox,
  type SandboxDeps,
} from "./sandbox.ts";

export interface WarmPoolSettings {
  /** Sandboxes that lie ready for each network. */
  readonly sizePerNetwork: number;
  /** For all networks together; those that are asked for last get none. */
  readonly maxTotal: number;
  /** How long after a taking the pool is filled again, so that the caller's own work goes first. */
  readonly refillDelayMs: number;
  /** Four hexadecimal digits that the ids of its sandboxes end with: another process sees whose they are. */
  readonly mark?: string;
}

/** Whoever looks after more in a sandbox than its links. */
export interface PoolHooks {
  /** One was made for a network; it is not ready before this resolves. */
  readonly made: (sandboxId: string) => Promise<void>;
  /** One that nobody took goes. */
  readonly gone: (sandboxId: string) => void;
}

interface Shelf {
  readonly attachment: Attachment;
  readonly ready: Sandbox[];
}

/**
 * Sandboxes made before they are needed. Those in it belong to nobody: they have no rows, and are removed when the pool
 * is disposed; after a crash reconcile removes them as what no row and no living pool owns. A taken one stays the pool's
 * until it is settled or given back.
 */
export class WarmPool implements AsyncDisposable {
  readonly #deps: SandboxDeps;
  readonly #settings: WarmPoolSettings;
  readonly #log: Logger;
  readonly #hooks: PoolHooks | undefined;
  readonly #shelves = new Map<string, Shelf>();
  readonly #lent = new Set<string>();
  readonly #stop = new AbortController();
  #filling: Promise<void> | undefined;

  constructor(deps: SandboxDeps, settings: WarmPoolSettings, log: Logger, hooks?: PoolHooks) {
    this.#hooks = hooks;
    this.#deps = deps;
    this.#settings = settings;
    this.#log = log;
  }

  /** From now on sandboxes lie ready for this network. Its bridge must exist. */
  keep(attachment: Attachment): void {
    if (this.#shelves.has(attachment.networkId)) return;
    this.#shelves.set(attachment.networkId, { attachment, ready: [] });
    this.#refill(0);
  }

  /** Removes what lies ready for the network, before its bridge goes. None is no error. */
  async drop(networkId: string): Promise<void> {
    const shelf = this.#shelves.get(networkId);
    this.#shelves.delete(networkId);
    for (const sandbox of shelf?.ready ?? []) await this.#remove(sandbox);
    this.#refill(this.#settings.refillDelayMs); // what it took of the total is the others' now
  }

  /**
   * A sandbox on this network, or on none: 0 ms from the pool, 1.2 ms when it is empty or not kept. The caller settles it
   * once a row owns it, or gives it back as it was.
   */
  async take(attachment: Attachment | undefined): Promise<Sandbox> {
    const shelf = attachment === undefined ? undefined : this.#shelves.get(attachment.networkId);
    const warm = shelf?.ready.pop();
    if (shelf !== undefined) this.#refill(this.#settings.refillDelayMs);
    if (warm === undefined) return await this.#make(attachment);
    this.#lent.add(warm.netnsPath);
    return warm;
  }

  /** It has its owner's row. */
  settle({ netnsPath }: Sandbox): void {
    this.#lent.delete(netnsPath);
  }

  /** Nothing was done to it. */
  async giveBack(sandbox: Sandbox): Promise<void> {
    const shelf = this.#shelves.get(sandbox.veths[0]?.networkId ?? "");
    await this.#shelve(sandbox, shelf);
  }

  /** How many lie ready, by network: a metric, and what leakcheck subtracts. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.#shelves].map(([networkId, { ready }]) => [networkId, ready.length]));
  }

  /** Mount paths of those that are its own: they lie ready, or are taken and have no row yet. */
  paths(): ReadonlySet<string> {
    const ready = [...this.#shelves.values()].flatMap((shelf) => shelf.ready.map((sandbox) => sandbox.netnsPath));
    return new Set([...ready, ...this.#lent]);
  }

  /** The networks that it keeps sandboxes for. */
  networks(): string[] {
    return [...this.#shelves.keys()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#filling;
    for (const networkId of [...this.#shelves.keys()]) await this.drop(networkId);
  }

  #refill(delayMs: number): void {
    if (this.#filling !== undefined || this.#stop.signal.aborted) return;
    this.#filling = this.#fill(delayMs).finally(() => {
      this.#filling = undefined;
      // something may have been taken behind the last look
      if (this.#emptiest() !== undefined) this.#refill(this.#settings.refillDelayMs);
    });
  }

  /** One at a time, so that a caller's own request waits for one making at most. */
  async #fill(delayMs: number): Promise<void> {
    let failures = 0;
    let waitMs = delayMs;
    while (!this.#stop.signal.aborted) {
      await sleep(waitMs, this.#stop.signal).catch(() => {});
      const shelf = this.#emptiest();
      if (shelf === undefined || this.#stop.signal.aborted) return;
      try {
        await this.#add(shelf);
        failures = 0;
        waitMs = 0;
      } catch (error) {
        waitMs = backoffMs(failures++, 100, 10_000);
        this.#log.warn({ err: error, "ctl.network.id": shelf.attachment.networkId }, "warm pool not filled");
      }
    }
  }

  async #add(shelf: Shelf): Promise<void> {
    const sandbox = await this.#make(shelf.attachment);
    // its network may have been dropped meanwhile
    await this.#shelve(sandbox, this.#shelves.get(shelf.attachment.networkId) === shelf ? shelf : undefined);
  }

  /** One that was given back while another was made for its place is one too many. */
  async #shelve(sandbox: Sandbox, shelf: Shelf | undefined): Promise<void> {
    this.#lent.delete(sandbox.netnsPath);
    const hasRoom = shelf !== undefined && shelf.ready.length < this.#settings.sizePerNetwork;
    if (hasRoom && !this.#stop.signal.aborted) shelf.ready.push(sandbox);
    else await this.#remove(sandbox);
  }

  /** Counted as its own before it exists. */
  async #make(attachment: Attachment | undefined): Promise<Sandbox> {
    const id = newSandboxId(this.#settings.mark);
    const path = netnsPathOf(this.#deps, id);
    this.#lent.add(path);
    try {
      const sandbox = await makeSandbox(this.#deps, attachment, id);
      if (attachment !== undefined) await this.#hooks?.made(id);
      return sandbox;
    } catch (error) {
      this.#lent.delete(path);
      throw error;
    }
  }

  async #remove(sandbox: Sandbox): Promise<void> {
    this.#hooks?.gone(sandbox.id);
    await removeSandbox(this.#deps, sandbox);
  }

  #emptiest(): Shelf | undefined {
    const shelves = [...this.#shelves.values()];
    const total = shelves.reduce((sum, { ready }) => sum + ready.length, 0);
    if (total >= this.#settings.maxTotal) return undefined;
    const [emptiest] = shelves.sort((a, b) => a.ready.length - b.ready.length);
    return emptiest !== undefined && emptiest.ready.length < this.#settings.sizePerNetwork ? emptiest : undefined;
  }
}
