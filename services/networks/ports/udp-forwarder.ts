import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { familyOf } from "../ipam/address.ts";
import type { ForwardRule } from "./forward-rules.ts";

/** As long as conntrack keeps a UDP stream's state, and docker-proxy its own. */
const IDLE_MS = 90_000;
/** Callers at once; the one that has been silent longest makes room. */
const MOST_CALLERS = 1_024;

interface Caller {
  readonly socket: Socket;
  lastAt: number;
}

/** Each caller has a socket of its own towards the container, whose answers are led back to it. */
export class UdpForwarder implements Disposable {
  readonly #rule: ForwardRule;
  readonly #outside: Socket;
  readonly #callers = new Map<string, Caller>();
  readonly #sweeping: NodeJS.Timeout;

  constructor(fd: number, rule: ForwardRule) {
    this.#rule = rule;
    this.#outside = createSocket(typeOf(rule.listenIp));
    this.#outside.on("error", () => {}); // of a send: datagrams may get lost
    this.#outside.on("message", (message, from) => this.#carry(message, from));
    this.#outside.bind({ fd, exclusive: true });
    this.#sweeping = setInterval(() => this.#sweep(performance.now() - IDLE_MS), IDLE_MS / 4).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeping);
    this.#outside.close();
    this.#sweep(Number.POSITIVE_INFINITY);
  }

  #carry(message: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`;
    const caller = this.#callers.get(key) ?? this.#admit(from);
    this.#callers.delete(key);
    this.#callers.set(key, caller); // the map's order is that of the last word
    caller.lastAt = performance.now();
    caller.socket.send(message, this.#rule.containerPort, this.#rule.address);
  }

  #admit(from: RemoteInfo): Caller {
    if (this.#callers.size >= MOST_CALLERS) {
      const [oldest] = this.#callers.keys();
      if (oldest !== undefined) this.#dismiss(oldest);
    }
    const socket = createSocket(typeOf(this.#rule.address));
    const caller = { socket, lastAt: performance.now() };
    socket.on("error", () => {});
    socket.on("message", (answer, { address, port }) => {
      // nobody but the container answers for it
      if (address !== this.#rule.address || port !== this.#rule.containerPort) return;
      caller.lastAt = performance.now();
      this.#outside.send(answer, from.port, from.address);
    });
    return caller;
  }

  #sweep(before: number): void {
    for (const [key, { lastAt }] of this.#callers) if (lastAt < before) this.#dismiss(key);
  }

  #dismiss(key: string): void {
    this.#callers.get(key)?.socket.close();
    this.#callers.delete(key);
  }
}

function typeOf(address: string): "udp4" | "udp6" {
  return familyOf(address) === 4 ? "udp4" : "udp6";
}
