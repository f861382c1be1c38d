import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";

/** Datagrams to one address. Nothing tells whether they arrive: so it is with syslog over UDP. */
export class UdpConnection implements Disposable {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  async send(datagram: Buffer): Promise<void> {
    this.#socket ??= this.#open();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(datagram, this.#port, this.#host, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
    await promise;
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #open(): Socket {
    const socket = createSocket(isIPv6(this.#host) ? "udp6" : "udp4");
    // what is refused is told to `send`; an error that belongs to none of them must not end the process
    socket.on("error", () => {});
    return socket;
  }
}
