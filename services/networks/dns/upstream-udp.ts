import { randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";

interface Waiting {
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

interface Line {
  readonly socket: Socket;
  readonly waiting: Map<number, Waiting>;
  readonly connected: PromiseWithResolvers<void>;
  /** Why it is closed. */
  closed?: Error;
}

/** Sockets to one resolver: each has a port of its own, so that nobody guesses both port and id of a question. */
const LINES = 4;
const PER_LINE = 512;
const IDLE_MS = 30_000;

/**
 * Questions to one resolver over UDP, many at a time. Sockets are connected, so that an answer from elsewhere never
 * arrives and a resolver that is not there refuses at once. They close when nothing was asked for 30 s.
 */
export class UpstreamUdp implements Disposable {
  readonly #server: string;
  readonly #port: number;
  readonly #lines: Line[] = [];
  #idle: NodeJS.Timeout | undefined;

  constructor(server: string, port: number) {
    this.#server = server;
    this.#port = port;
  }

  /** The answer, under the question's own id. Rejects after `timeoutMs`, when the resolver refuses, and when too much waits. */
  async ask(question: Buffer, timeoutMs: number): Promise<Buffer> {
    const line = this.#line();
    await line.connected.promise;
    if (line.closed !== undefined) throw line.closed; // meanwhile
    const id = freeId(line.waiting);
    if (id === undefined) throw new Error(`too many questions wait for ${this.#server}`);
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const timer = setTimeout(() => {
      line.waiting.delete(id);
      reject(new Error(`${this.#server} does not answer`));
    }, timeoutMs);
    line.waiting.set(id, { resolve, reject, timer });
    const copy = Buffer.from(question);
    copy.writeUInt16BE(id, 0);
    line.socket.send(copy, (error) => {
      if (error !== null) fail(line, id, error);
    });
    const answer = await promise;
    question.copy(answer, 0, 0, 2);
    return answer;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#idle);
    for (const line of this.#lines.splice(0)) close(line, new Error("the resolver is asked no more"));
  }

  #line(): Line {
    this.#idle?.refresh();
    this.#idle ??= setTimeout(() => this.#closeIdle(), IDLE_MS).unref();
    const [free] = [...this.#lines].sort((a, b) => a.waiting.size - b.waiting.size);
    if (free !== undefined && (free.waiting.size === 0 || this.#lines.length === LINES)) return free;
    return this.#open();
  }

  #open(): Line {
    const socket = createSocket(isIP(this.#server.split("%")[0] ?? "") === 6 ? "udp6" : "udp4");
    const connected = Promise.withResolvers<void>();
    const line: Line = { socket, waiting: new Map(), connected };
    socket.on("message", (answer) => settle(line, answer));
    socket.on("error", (error) => this.#drop(line, error));
    socket.connect(this.#port, this.#server, () => connected.resolve());
    connected.promise.catch(() => {}); // who asks hears of it
    this.#lines.push(line);
    return line;
  }

  #drop(line: Line, error: Error): void {
    const index = this.#lines.indexOf(line);
    if (index >= 0) this.#lines.splice(index, 1);
    close(line, error);
  }

  #closeIdle(): void {
    this.#idle = undefined;
    for (const line of [...this.#lines]) if (line.waiting.size === 0) this.#drop(line, new Error("idle"));
  }
}

function settle({ waiting }: Line, answer: Buffer): void {
  if (answer.length < 12) return;
  const id = answer.readUInt16BE(0);
  const asked = waiting.get(id);
  if (asked === undefined) return;
  waiting.delete(id);
  clearTimeout(asked.timer);
  asked.resolve(answer);
}

function fail({ waiting }: Line, id: number, error: Error): void {
  const asked = waiting.get(id);
  if (asked === undefined) return;
  waiting.delete(id);
  clearTimeout(asked.timer);
  asked.reject(error);
}

function close(line: Line, error: Error): void {
  line.closed ??= error;
  line.connected.reject(error);
  for (const id of [...line.waiting.keys()]) fail(line, id, error);
  try {
    line.socket.close();
  } catch {
    // it is closed already
  }
}

/** Undefined: too much is under way. */
function freeId(waiting: ReadonlyMap<number, unknown>): number | undefined {
  if (waiting.size >= PER_LINE) return undefined;
  for (;;) {
    const id = randomInt(0x10000);
    if (!waiting.has(id)) return id;
  }
}
