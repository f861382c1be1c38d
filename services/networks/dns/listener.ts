import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import type { Transport } from "./forward.ts";
import type { DnsSockets } from "./sockets.ts";
import { tcpMessages, withLength } from "./tcp-messages.ts";

/** Undefined: what came is no question, and gets no answer. */
export type AnswerQuestion = (message: Buffer, transport: Transport) => Promise<Buffer | undefined>;

/** Of one sandbox: what comes beyond is dropped, and asked again by who sent it. */
const MOST_WAITING = 1_000;
const MOST_CONNECTIONS = 64;
const TCP_IDLE_MS = 10_000;

/** Serves the two sockets of one sandbox, and closes them. */
export class Listener implements Disposable {
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #answer: AnswerQuestion;
  readonly #connections = new Set<Socket>();
  #waiting = 0;

  constructor({ udpFd, tcpFd }: DnsSockets, answer: AnswerQuestion) {
    this.#answer = answer;
    this.#udp = createSocket("udp4");
    this.#udp.on("message", (message, from) => void this.#onUdp(message, from));
    this.#udp.on("error", () => {}); // an answer that could not be sent is asked for again
    this.#udp.bind({ fd: udpFd, exclusive: true });
    this.#tcp = createServer((socket) => this.#onConnection(socket));
    this.#tcp.maxConnections = MOST_CONNECTIONS;
    this.#tcp.on("error", () => {});
    this.#tcp.listen({ fd: tcpFd, exclusive: true });
  }

  [Symbol.dispose](): void {
    this.#udp.close();
    this.#tcp.close();
    for (const socket of this.#connections) socket.destroy();
  }

  async #onUdp(message: Buffer, from: RemoteInfo): Promise<void> {
    const answer = await this.#answered(message, "udp");
    if (answer === undefined) return;
    try {
      this.#udp.send(answer, from.port, from.address, () => {});
    } catch {
      // closed meanwhile
    }
  }

  #onConnection(socket: Socket): void {
    this.#connections.add(socket);
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => socket.destroy());
    const messages = tcpMessages((message) => {
      void this.#answered(message, "tcp").then((answer) => {
        if (answer !== undefined && socket.writable) socket.write(withLength(answer));
      });
    });
    socket.on("data", (bytes) => messages.take(bytes));
  }

  async #answered(message: Buffer, transport: Transport): Promise<Buffer | undefined> {
    if (this.#waiting >= MOST_WAITING) return undefined;
    this.#waiting++;
    try {
      return await this.#answer(message, transport);
    } finally {
      this.#waiting--;
    }
  }
}
