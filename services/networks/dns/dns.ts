import { asCtlError } from "../../kit/errors.ts";
import type { Logger } from "../../kit/telemetry/log.ts";
import type { Holding } from "../holding.ts";
import { netnsPathOf, type SandboxDeps } from "../sandbox/sandbox.ts";
import { type Asker, askerOf } from "./asker.ts";
import { Forwarder, type Transport } from "./forward.ts";
import { HostResolverFile } from "./host-resolvers.ts";
import { Listener } from "./listener.ts";
import { answerLocally } from "./local-answer.ts";
import { bareAnswer, type Query, Rcode, readQuery } from "./wire.ts";
import { Zone } from "./zone.ts";

interface Served {
  readonly listener: Listener;
  /** Undefined: it lies in the pool, and nobody asks. */
  asker: Asker | undefined;
}

/**
 * The resolver of all sandboxes of this node, in the replica that has the duty: in each sandbox it answers at 127.0.0.11.
 * In another replica every method does nothing; the one with the duty follows by events.
 */
export class Dns implements Disposable {
  readonly #deps: SandboxDeps;
  readonly #log: Logger;
  readonly #zone = new Zone();
  readonly #resolvers: HostResolverFile;
  readonly #forwarder: Forwarder;
  readonly #served = new Map<string, Served>();
  readonly #opening = new Map<string, Promise<void>>();
  /** The sandbox of each holder that asks. */
  readonly #sandboxOf = new Map<string, string>();
  #isServing = false;

  constructor(deps: SandboxDeps, log: Logger, resolvers = new HostResolverFile(), forwarder = new Forwarder()) {
    this.#deps = deps;
    this.#log = log;
    this.#resolvers = resolvers;
    this.#forwarder = forwarder;
  }

  /** Takes the duty up; what there is to serve comes by `prepare` and `put`. */
  start(): void {
    this.#isServing = true;
  }

  /** Closes everything: another replica has the duty, or the service ends. */
  stop(): void {
    this.#isServing = false;
    for (const id of [...this.#served.keys()]) this.drop(id);
    this.#sandboxOf.clear();
    for (const holder of this.#zone.holders()) this.#zone.remove(holder);
  }

  /** Sockets in a sandbox that nobody has yet, so that who takes it waits for none. 1 ms. */
  async prepare(netnsId: string): Promise<void> {
    if (!this.#isServing || this.#served.has(netnsId)) return;
    const opening = this.#opening.get(netnsId) ?? this.#open(netnsId).finally(() => this.#opening.delete(netnsId));
    this.#opening.set(netnsId, opening);
    await opening;
  }

  /** The holder's names, and its own questions: right from when this resolves. Nothing but memory for a prepared sandbox. */
  async put(holding: Holding): Promise<void> {
    if (!this.#isServing) return;
    this.#zone.put(holding);
    const { holder, netnsId } = holding;
    // one that was taken off all of its networks has nobody to ask
    const isLeaving = this.#sandboxOf.get(holder) !== netnsId || !isAsking(holding);
    if (isLeaving) this.#leave(holder);
    if (netnsId === undefined || !isAsking(holding)) return;
    this.#sandboxOf.set(holder, netnsId);
    await this.prepare(netnsId);
    const served = this.#served.get(netnsId);
    if (served !== undefined) served.asker = askerOf(holding);
  }

  /** It has stopped: its names answer nothing, and stay its own. */
  deactivate(holding: Holding): void {
    if (!this.#isServing) return;
    this.#zone.put({ ...holding, isActive: false });
    this.#leave(holding.holder);
  }

  /** It has nothing any more. */
  remove({ holder }: Pick<Holding, "holder">): void {
    this.#zone.remove(holder);
    this.#leave(holder);
  }

  /** Whether it answers for this holder on this network already, in this sandbox of its. */
  isKnown(holder: string, networkId: string): boolean {
    return this.#zone.isActiveOn(networkId, holder);
  }

  isCurrent({ holder, netnsId, endpoints, isActive }: Holding): boolean {
    return (
      this.#sandboxOf.get(holder) === (isAsking({ endpoints, isActive }) ? netnsId : undefined) &&
      endpoints.every(({ network }) => this.#zone.isActiveOn(network.id, holder) === isActive)
    );
  }

  /** A sandbox goes: its sockets would keep the namespace alive. */
  drop(netnsId: string): void {
    this.#served.get(netnsId)?.listener[Symbol.dispose]();
    this.#served.delete(netnsId);
  }

  /** Those whose names are known. */
  holders(): readonly string[] {
    return this.#zone.holders();
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#forwarder[Symbol.dispose]();
  }

  #leave(holder: string): void {
    const netnsId = this.#sandboxOf.get(holder);
    this.#sandboxOf.delete(holder);
    if (netnsId !== undefined) this.drop(netnsId);
  }

  /** A container without names is better than none: what the sandbox refuses is logged. */
  async #open(netnsId: string): Promise<void> {
    try {
      const sockets = await this.#deps.thread.call("openDnsSockets", netnsPathOf(this.#deps, netnsId));
      const served: Served = {
        asker: undefined,
        listener: new Listener(sockets, (message, transport) => this.#answer(served, message, transport)),
      };
      this.#served.set(netnsId, served);
      if (!this.#isServing) this.drop(netnsId); // stopped meanwhile
    } catch (error) {
      this.#log.warn({ "ctl.sandbox": netnsId, err: asCtlError(error, "serve DNS") }, "no resolver in a sandbox");
    }
  }

  async #answer({ asker }: Served, message: Buffer, transport: Transport): Promise<Buffer | undefined> {
    const query = readQuery(message);
    if (query === undefined || asker === undefined) return undefined;
    if (query.opcode !== 0) return bareAnswer(message, query, Rcode.notImplemented);
    const answer =
      answerLocally(message, query, asker, this.#zone) ?? (await this.#forward(message, query, asker, transport));
    const isTooLong = transport === "udp" && answer.length > query.udpBytes;
    return isTooLong ? bareAnswer(message, query, Rcode.ok, true) : answer;
  }

  async #forward(message: Buffer, query: Query, asker: Asker, transport: Transport): Promise<Buffer> {
    const servers = asker.resolvers.length > 0 ? asker.resolvers : await this.#resolvers.current();
    // out of an internal network nothing goes, not even a question
    if (asker.isInternal || servers.length === 0) return bareAnswer(message, query, Rcode.serverFailure);
    return this.#forwarder.answer(message, query, servers, transport);
  }
}

/** Whose sandbox has a resolver: who shares the host's network has the host's, who has no network has none. */
export function isAsking({ isActive, endpoints }: Pick<Holding, "isActive" | "endpoints">): boolean {
  return isActive && endpoints.some(({ hostLink }) => hostLink !== "");
}
