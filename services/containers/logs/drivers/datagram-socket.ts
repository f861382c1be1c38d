import { sleep } from "../../../kit/deadlines.ts";
import type { PacketSender } from "../../../kit/linux/seqpacket.ts";

const FULL_WAIT_MS = 10;

/** A unix socket for datagrams, connected when something is to be sent, and again when its reader was replaced. */
export class DatagramSocket implements Disposable {
  readonly #connect: (path: string) => PacketSender;
  readonly #path: string;
  #sender: PacketSender | undefined;

  constructor(connect: (path: string) => PacketSender, path: string) {
    this.#connect = connect;
    this.#path = path;
  }

  /** Waits, beside the event loop, while the reader is slow. Throws what the kernel refuses. */
  async send(datagram: Uint8Array, signal: AbortSignal): Promise<void> {
    for (let isRetried = false; ; ) {
      this.#sender ??= this.#connect(this.#path);
      const result = this.#sender.send(datagram);
      if (result === "sent") return;
      if (result === "full") {
        await sleep(FULL_WAIT_MS, signal);
        continue;
      }
      this[Symbol.dispose]();
      if (isRetried) throw new Error(`nobody reads ${this.#path}`);
      isRetried = true;
    }
  }

  [Symbol.dispose](): void {
    this.#sender?.[Symbol.dispose]();
    this.#sender = undefined;
  }
}
