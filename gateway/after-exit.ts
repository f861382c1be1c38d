import { ClearDueRequest, type Due, DueAction, WaitCondition } from "#proto/ctl/containers/v1/containers.ts";
import { RemoveContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { sleep } from "../services/kit/deadlines.ts";
import { isCtlError } from "../services/kit/errors.ts";
import { attribute } from "../services/kit/telemetry/attributes.ts";
import type { Logger } from "../services/kit/telemetry/log.ts";
import { inSpan } from "../services/kit/telemetry/trace.ts";
import type { Clients } from "./clients.ts";
import { deactivateKind } from "./operations/deactivate.ts";
import { newOperationId, type Operations, runOperation } from "./operations/operation.ts";
import { afterExitKind, removeKind } from "./operations/remove.ts";
import { startKind } from "./operations/start.ts";
import { removeState, startState } from "./operations/states.ts";

const POLL_MS = 2_000;
const AT_ONCE = 8;
/** What waits for a client's return is asked about again after this. */
const HELD_MS = 100;
/** An action that failed is tried again with the poll after this long. */
const RETRY_AFTER_MS = 1_000;

/**
 * Does what follows an exit across services (`--rm`, giving the sandbox back) and what a boot asks for, until the signal
 * aborts. Level-triggered: the containers service names what is due; an event only makes us ask at once.
 */
export class ExitFollower {
  readonly #clients: Clients;
  readonly #operations: Operations;
  readonly #log: Logger;
  readonly #signal: AbortSignal;
  /** What is being done now, and what failed a moment ago, by container. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #notBefore = new Map<string, number>();
  /** Containers whose end a caller of ours waits for, to do what follows at once. */
  readonly #claimed = new Set<string>();
  #asking: Promise<void> | undefined;
  #askAgain = false;

  constructor(clients: Clients, operations: Operations, log: Logger, signal: AbortSignal) {
    this.#clients = clients;
    this.#operations = operations;
    this.#log = log;
    this.#signal = signal;
  }

  /** Ends when the signal has aborted and nothing is under way any more. */
  async follow(): Promise<void> {
    await Promise.all([this.#listen(), this.#poll()]);
    await this.#asking;
    await Promise.all(this.#busy.values());
  }

  /** Until it is disposed nobody but `removed` cares for this container's end. */
  claim(id: string): Disposable {
    this.#claimed.add(id);
    return { [Symbol.dispose]: () => this.#claimed.delete(id) };
  }

  /**
   * Waits for the end of a claimed container that is started with `--rm`, and removes it without anybody's asking: answers
   * when its name, addresses and ports are free. What goes on goes on without the caller too.
   */
  async removed(id: string, signal: AbortSignal): Promise<void> {
    const { containers } = this.#clients;
    const untilEnd = { signal, timeoutMs: Number.POSITIVE_INFINITY };
    try {
      const ended = await containers.waitContainer({ ref: id, condition: WaitCondition.RELEASABLE }, untilEnd);
      if (!ended.isRemoving || this.#signal.aborted || this.#busy.has(id))
        return await this.#removedByOthers(id, signal);
      const released = Promise.withResolvers<boolean>();
      const due = { id, action: DueAction.REMOVE, run: 0, isRemoving: true, hasMounts: ended.hasMounts };
      const work = this.#do(due, () => released.resolve(true)).finally(() => {
        this.#busy.delete(id);
        released.resolve(false); // unless it was done
      });
      this.#busy.set(id, work);
      if (!(await released.promise)) await this.#removedByOthers(id, signal);
    } catch (error) {
      if (!isCtlError(error, "NOT_FOUND")) throw error;
    }
  }

  async #removedByOthers(id: string, signal: AbortSignal): Promise<void> {
    this.#claimed.delete(id);
    void this.#ask();
    const wish = { ref: id, condition: WaitCondition.REMOVED };
    await this.#clients.containers.waitContainer(wish, { signal, timeoutMs: Number.POSITIVE_INFINITY });
  }

  async #poll(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#ask();
      await sleep(POLL_MS, this.#signal).catch(() => {});
    }
  }

  async #listen(): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        const request = { since: "", sinceTime: undefined, untilTime: undefined, filters: [] };
        for await (const { event } of this.#clients.containers.watch(request, { signal: this.#signal })) {
          if (event?.action === "die" && !this.#claimed.has(event.id)) void this.#ask();
        }
      } catch (error) {
        if (!this.#signal.aborted) this.#log.debug({ err: error }, "events of containers interrupted");
      }
      await sleep(200, this.#signal).catch(() => {});
    }
  }

  /** One question at a time; one that comes meanwhile is asked once more afterwards. Never throws. */
  #ask(): Promise<void> {
    if (this.#asking !== undefined) {
      this.#askAgain = true;
      return this.#asking;
    }
    this.#asking = this.#askOnce().finally(() => {
      this.#asking = undefined;
      if (!this.#askAgain || this.#signal.aborted) return;
      this.#askAgain = false;
      void this.#ask();
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    try {
      const { due, held } = await this.#clients.containers.listDue({}, { signal: this.#signal });
      for (const item of due) this.#begin(item);
      if (held > 0)
        void sleep(HELD_MS, this.#signal).then(
          () => this.#ask(),
          () => {},
        );
    } catch (error) {
      if (!this.#signal.aborted) this.#log.debug({ err: error }, "what is due is not known");
    }
  }

  #begin(item: Due): void {
    if (this.#busy.size >= AT_ONCE || this.#busy.has(item.id) || this.#claimed.has(item.id)) return;
    if ((this.#notBefore.get(item.id) ?? 0) > performance.now()) return;
    const work = this.#do(item).finally(() => {
      this.#busy.delete(item.id);
      void this.#ask(); // what had no room, and what came meanwhile
    });
    this.#busy.set(item.id, work);
  }

  async #do(item: Due, onReleased?: () => void): Promise<void> {
    const attributes = { [attribute.containerId]: item.id };
    try {
      await inSpan("exit.follow", { attributes }, () => this.#act(item, onReleased));
      this.#notBefore.delete(item.id);
    } catch (error) {
      this.#notBefore.set(item.id, performance.now() + RETRY_AFTER_MS);
      const isExpected = this.#signal.aborted || isCtlError(error, "ABORTED", "NOT_FOUND");
      this.#log[isExpected ? "debug" : "warn"]({ ...attributes, err: error }, "what follows an exit was not done yet");
    }
  }

  async #act({ id, action, run, isRemoving, hasMounts }: Due, onReleased?: () => void): Promise<void> {
    const signal = this.#signal;
    if (action === DueAction.REMOVE) {
      const wish = { subject: id, force: false, volumes: true, hasMounts };
      const state = removeState(this.#clients, { ...wish, ...(onReleased === undefined ? {} : { onReleased }) });
      const request = RemoveContainerRequest.encode({ ref: id, force: false, volumes: true }).finish();
      const kind = isRemoving ? afterExitKind : removeKind;
      await runOperation(kind, state, Buffer.from(request), this.#operations, signal);
    } else if (action === DueAction.START) {
      const state = startState(this.#clients, { subject: id, spec: undefined, pull: "never" });
      await runOperation(startKind, state, Buffer.alloc(0), this.#operations, signal);
    } else if (action === DueAction.DEACTIVATE) {
      const state = { clients: this.#clients, operation: newOperationId(), subject: id, run };
      const request = ClearDueRequest.encode({ ref: id, action, run }).finish();
      await runOperation(deactivateKind, state, Buffer.from(request), this.#operations, signal);
    }
  }
}
