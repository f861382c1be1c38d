import { DnsCache } from "./cache.ts";
import { askOverTcp } from "./upstream-tcp.ts";
import { UpstreamUdp } from "./upstream-udp.ts";
import { type AnswerFacts, bareAnswer, type Query, Rcode, readAnswer } from "./wire.ts";

export type Transport = "udp" | "tcp";

/** How long the next resolver is not asked while one is silent: a dead one costs this, once. */
const PATIENCE_MS = 1_000;
/** As long as resolv.conf(5)'s own timeout: behind it nobody waits any more. */
const TIMEOUT_MS = 5_000;
/** So long a silent one is passed over; then one question is sent to it beside the one that counts. */
const PASSED_OVER_MS = 20_000;
const DNS_PORT = 53;

interface Answered {
  readonly answer: Buffer;
  readonly facts: AnswerFacts;
}

/**
 * What is none of our names goes to resolvers, in their order: from the host's own network, so that neither a firewall's
 * forward chain nor a resolver on the host's loopback is in the way. Answers are kept as long as they say; the same
 * question asked by many at once is asked once.
 */
export class Forwarder implements Disposable {
  readonly #cache = new DnsCache();
  readonly #lines = new Map<string, UpstreamUdp>();
  readonly #silentUntil = new Map<string, number>();
  readonly #underWay = new Map<string, Promise<Answered | undefined>>();
  readonly #port: number;

  constructor(port = DNS_PORT) {
    this.#port = port;
  }

  /** Always an answer: SERVFAIL where no resolver gives one. */
  async answer(message: Buffer, query: Query, servers: readonly string[], transport: Transport): Promise<Buffer> {
    const source = servers.join(" ");
    const cached = this.#cache.find(source, message, query, performance.now());
    if (cached !== undefined) return cached;
    const key = `${transport} ${query.type} ${query.class} ${query.variant} ${query.name} ${source}`;
    const asking = this.#underWay.get(key) ?? this.#ask(message, query, servers, transport);
    this.#underWay.set(key, asking);
    const answered = await asking.finally(() => this.#underWay.delete(key));
    if (answered === undefined) return bareAnswer(message, query, Rcode.serverFailure);
    this.#cache.store(source, query, answered.answer, answered.facts, performance.now());
    const own = Buffer.from(answered.answer);
    message.copy(own, 0, 0, 2);
    message.copy(own, 12, 12, query.end);
    return own;
  }

  [Symbol.dispose](): void {
    for (const line of this.#lines.values()) line[Symbol.dispose]();
    this.#lines.clear();
  }

  /** The first good answer counts. An error (SERVFAIL, REFUSED) is the answer only where nobody gives another. */
  #ask(message: Buffer, query: Query, servers: readonly string[], transport: Transport): Promise<Answered | undefined> {
    const { promise, resolve } = Promise.withResolvers<Answered | undefined>();
    const order = this.#inOrder(servers);
    let worst: Answered | undefined;
    let open = 0;
    const askNext = (): void => {
      const server = order.shift();
      if (server === undefined) {
        if (open === 0) resolve(worst);
        return;
      }
      open++;
      const patience = setTimeout(() => {
        this.#passOver(server);
        askNext();
      }, PATIENCE_MS);
      const ended = (answered: Answered | undefined) => {
        clearTimeout(patience);
        open--;
        if (answered !== undefined && !isRefusal(answered.facts)) resolve(answered);
        else {
          worst ??= answered;
          askNext();
        }
      };
      this.#askOne(server, message, query, transport).then(ended, () => {
        this.#passOver(server);
        ended(undefined);
      });
    };
    askNext();
    return promise;
  }

  async #askOne(server: string, message: Buffer, query: Query, transport: Transport): Promise<Answered> {
    const answer =
      transport === "tcp"
        ? await askOverTcp(server, this.#port, message, TIMEOUT_MS)
        : await this.#line(server).ask(message, TIMEOUT_MS);
    const facts = readAnswer(answer, query, message);
    if (facts === undefined) throw new Error(`${server} answered something else`);
    this.#silentUntil.delete(server);
    return { answer, facts };
  }

  #line(server: string): UpstreamUdp {
    const line = this.#lines.get(server) ?? new UpstreamUdp(server, this.#port);
    this.#lines.set(server, line);
    return line;
  }

  #passOver(server: string): void {
    this.#silentUntil.set(server, performance.now() + PASSED_OVER_MS);
  }

  /** Those that were silent come last; when their time is over, a question shows whether they answer again. */
  #inOrder(servers: readonly string[]): string[] {
    const now = performance.now();
    const isSilent = (server: string) => this.#silentUntil.has(server);
    const answering = servers.filter((server) => !isSilent(server));
    const silent = servers.filter(isSilent);
    if (answering.length > 0) {
      for (const server of silent) if ((this.#silentUntil.get(server) ?? 0) < now) this.#probe(server);
    }
    return [...answering, ...silent];
  }

  #probe(server: string): void {
    this.#passOver(server);
    this.#line(server)
      .ask(ROOT_QUESTION, TIMEOUT_MS)
      .then(
        () => this.#silentUntil.delete(server),
        () => {},
      );
  }
}

/** Which name servers the root has: every resolver can answer that. */
const ROOT_QUESTION = Buffer.from("0000010000010000000000000000020001", "hex");

function isRefusal({ rcode }: AnswerFacts): boolean {
  return rcode === Rcode.serverFailure || rcode === Rcode.refused || rcode === Rcode.notImplemented;
}
