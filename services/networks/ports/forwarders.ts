import { connect, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "../../kit/telemetry/log.ts";
import type { ForwardRule } from "./forward-rules.ts";
import { type HostPorts, nameOfPort } from "./host-ports.ts";
import { UdpForwarder } from "./udp-forwarder.ts";

/**
 * Carries to containers what the kernel cannot translate: what comes to ::1, and what comes by the family that a container
 * has no address of. The container sees the network's gateway as the caller. Each replica of an instance listens, by
 * SO_REUSEPORT; connections end with the process that carries them. 60 µs a port.
 */
export class Forwarders implements Disposable {
  readonly #hostPorts: HostPorts;
  readonly #log: Logger;
  readonly #byHolder = new Map<string, Map<string, Disposable>>();

  constructor(hostPorts: HostPorts, log: Logger) {
    this.#hostPorts = hostPorts;
    this.#log = log;
  }

  /** Exactly these for the holder, whose ports are held already; what is there stays, with its connections. */
  put(holder: string, rules: readonly ForwardRule[]): void {
    const present = this.#byHolder.get(holder) ?? new Map<string, Disposable>();
    const wanted = new Map(rules.map((rule) => [keyOf(rule), rule]));
    for (const [key, forwarder] of present) {
      if (wanted.has(key)) continue;
      forwarder[Symbol.dispose]();
      present.delete(key);
    }
    for (const [key, rule] of wanted) {
      if (present.has(key)) continue;
      const forwarder = this.#open(rule, holder);
      if (forwarder !== undefined) present.set(key, forwarder);
    }
    if (present.size === 0) this.#byHolder.delete(holder);
    else this.#byHolder.set(holder, present);
  }

  remove(holder: string): void {
    this.put(holder, []);
  }

  /** What each holder has, by {@link keyOf}. */
  list(): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map([...this.#byHolder].map(([holder, present]) => [holder, new Set(present.keys())]));
  }

  [Symbol.dispose](): void {
    for (const holder of [...this.#byHolder.keys()]) this.remove(holder);
  }

  /** A port without it is better than none; undefined: a host without such an address has nobody who calls it. */
  #open(rule: ForwardRule, holder: string): Disposable | undefined {
    const port = { hostIp: rule.listenIp, protocol: rule.protocol, port: rule.hostPort };
    try {
      const fd = this.#hostPorts.openAnother(port);
      if (fd === undefined) return undefined;
      return rule.protocol === "tcp" ? new TcpForwarder(fd, rule) : new UdpForwarder(fd, rule);
    } catch (error) {
      this.#log.warn(
        { "container.id": holder, err: error, "ctl.port": nameOfPort(port) },
        "published port not forwarded",
      );
      return undefined;
    }
  }
}

export function keyOf({ listenIp, protocol, hostPort, address, containerPort }: ForwardRule): string {
  return `${listenIp} ${protocol} ${hostPort} ${address} ${containerPort}`;
}

class TcpForwarder implements Disposable {
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  constructor(fd: number, { address: host, containerPort: port }: ForwardRule) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (caller) => {
      const container = connect({ host, port, allowHalfOpen: true });
      for (const [socket, other] of [
        [caller, container],
        [container, caller],
      ] as const) {
        this.#connections.add(socket);
        socket.on("error", () => other.resetAndDestroy());
        socket.on("close", () => {
          this.#connections.delete(socket);
          if (socket.destroyed && !socket.readableEnded) other.destroy();
        });
      }
      container.on("connect", () => {
        caller.pipe(container);
        container.pipe(caller);
      });
    });
    this.#server.on("error", () => {}); // of an accept: its caller is gone
    this.#server.listen({ fd, exclusive: true });
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#connections) socket.destroy();
  }
}
