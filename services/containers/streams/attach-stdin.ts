import { constants, openSync } from "node:fs";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { Descriptor } from "../../kit/linux/descriptor.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import { bindPacketSender, type PacketSender } from "../../kit/linux/seqpacket.ts";

/** conmon reads at most this much of a packet and drops the rest. */
const PACKET_BYTES = 8 * 1024;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 20;

/**
 * A container's standard input, through conmon's attach socket. Only input: the other direction is shut down from the
 * start, which makes conmon leave this client out when it hands on output. (A client that is sent output and does not
 * read it stops the container's output for everybody.)
 */
export class AttachedStdin implements Disposable {
  readonly #sender: PacketSender;

  private constructor(sender: PacketSender) {
    this.#sender = sender;
  }

  /** Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING when no conmon listens in this bundle. */
  static open(bundlePath: string): AttachedStdin {
    try {
      // a socket's name has at most 107 bytes, so it is named from the directory's descriptor
      using directory = new Descriptor(openSync(bundlePath, constants.O_DIRECTORY | constants.O_RDONLY));
      return new AttachedStdin(bindPacketSender()(`/proc/self/fd/${directory.fd}/attach`));
    } catch (cause) {
      if (!isErrno(cause, "ENOENT", "ECONNREFUSED") && !isMissing(cause)) throw cause;
      throw new CtlError("FAILED_PRECONDITION", {
        reason: "CONTAINER_NOT_RUNNING",
        what: "attach to the container's input",
        why: "it does not run",
        fix: "start it first",
        cause,
      });
    }
  }

  /**
   * Hands on all of it, waiting while the container does not read; false when the container's input is closed. Node can
   * wait for no socket of this kind, so a full one is tried again after 1 to 20 ms: at least 10 MB/s.
   */
  async write(data: Uint8Array, signal: AbortSignal): Promise<boolean> {
    for (let start = 0; start < data.length; start += PACKET_BYTES) {
      const packet = data.subarray(start, start + PACKET_BYTES);
      if (!(await this.#send(packet, signal))) return false;
    }
    return true;
  }

  /** End of input: what was written before still arrives. */
  end(): void {
    this.#sender.end();
  }

  /** Detaches; the container's input then ends too, unless it was created to keep it open. */
  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
  }

  async #send(packet: Uint8Array, signal: AbortSignal): Promise<boolean> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
      const result = this.#sender.send(packet);
      if (result !== "full") return result === "sent";
      await sleep(waitMs, signal);
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
