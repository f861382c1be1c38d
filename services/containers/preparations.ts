import type { ContainerHost } from "./host/host.ts";
import { prepareRow } from "./prepare.ts";
import type { Serial } from "./run/serial.ts";
import type { ContainerRow } from "./store/containers.ts";

const TIMEOUT_MS = 30_000;

export type Prepared = Pick<ContainerRow, "id" | "auto_remove" | "layers" | "spec">;

/**
 * Roots that are made behind the answer of a create whose start follows at once: the start waits for them by its place in
 * the container's queue. One that fails is made again there, where somebody is told why.
 */
export class Preparations implements AsyncDisposable {
  readonly #host: ContainerHost;
  readonly #serial: Serial;
  readonly #running = new Set<Promise<void>>();

  constructor(host: ContainerHost, serial: Serial) {
    this.#host = host;
    this.#serial = serial;
  }

  begin(row: Prepared): void {
    const work = async () => void (await prepareRow(row, this.#host));
    const running = this.#serial
      .run(row.id, work, AbortSignal.timeout(TIMEOUT_MS))
      .catch(() => {})
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running);
  }
}
