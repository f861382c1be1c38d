import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { raceSignal, within } from "../../../../kit/deadlines.ts";
import type { SyslogAddress, SyslogTls } from "./options.ts";

type StreamAddress = Exclude<SyslogAddress, { kind: "udp" | "unixgram" }>;

const CONNECT_MS = 10_000;

/** A connection to a syslog daemon by TCP, TLS or a unix socket, made anew after it broke. */
export class StreamConnection implements Disposable {
  readonly #address: StreamAddress;
  #socket: Socket | undefined;

  constructor(address: StreamAddress) {
    this.#address = address;
  }

  /**
   * Resolves when the kernel has taken all of it; waits for as long as the daemon does not read. Rejects when the
   * connection cannot be made or breaks: the bytes are then to be written again.
   */
  async write(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const socket = await this.#connected(signal);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onClose = () => reject(new Error("the syslog daemon closed the connection"));
    socket.once("close", onClose);
    socket.write(bytes, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
    try {
      await raceSignal(promise, signal, "send lines to syslog");
    } finally {
      socket.off("close", onClose);
    }
  }

  [Symbol.dispose](): void {
    this.#socket?.destroySoon();
    this.#socket = undefined;
  }

  async #connected(signal: AbortSignal): Promise<Socket> {
    if (this.#socket !== undefined) return this.#socket;
    const socket = await this.#open();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.once(this.#address.kind === "tls" ? "secureConnect" : "connect", () => resolve());
    try {
      await raceSignal(promise, within(signal, CONNECT_MS, "reach the syslog daemon"), "reach the syslog daemon");
    } catch (error) {
      socket.destroy();
      throw error;
    }
    const forget = () => {
      if (this.#socket === socket) this.#socket = undefined;
      socket.destroy();
    };
    socket.on("error", forget).on("close", forget).on("end", forget).resume();
    this.#socket = socket;
    return socket;
  }

  async #open(): Promise<Socket> {
    const address = this.#address;
    if (address.kind === "unix") return connect(address.path);
    const { host, port } = address;
    if (address.kind === "tcp") return connect({ host, port });
    return connectTls({ host, port, ...(await certificates(address.tls)) });
  }
}

async function certificates({ caPath, certPath, keyPath, skipVerify }: SyslogTls) {
  const [ca, cert, key] = await Promise.all([caPath, certPath, keyPath].map(readIfNamed));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    rejectUnauthorized: !skipVerify,
  };
}

async function readIfNamed(path: string): Promise<Buffer | undefined> {
  return path === "" ? undefined : await readFile(path);
}
