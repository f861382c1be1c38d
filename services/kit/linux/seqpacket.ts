import { closeSync } from "node:fs";
import { isErrno, lastErrno, loadLibc, SyscallError } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_DGRAM = 2;
const CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const SHUT_RD = 0;
const SHUT_WR = 1;
const MSG_NOSIGNAL = 0x4000;
/** sun_path's 108 bytes with the closing zero. */
const PATH_BYTES = 107;

/** What became of a packet: taken whole, or not at all. */
export type SendResult = "sent" | "full" | "closed";

/**
 * The sending side of a SOCK_SEQPACKET or SOCK_DGRAM connection: Node's own unix sockets know only streams. The receiving side is shut
 * down from the start, so nothing can pile up there that somebody would have to read.
 */
export class PacketSender implements Disposable {
  readonly #calls: SocketCalls;
  #fd: number | undefined;

  constructor(fd: number, calls: SocketCalls) {
    this.#fd = fd;
    this.#calls = calls;
  }

  send(packet: Uint8Array): SendResult {
    if (this.#fd === undefined) return "closed";
    const sent = Number(this.#calls.send(this.#fd, packet, packet.length, MSG_NOSIGNAL));
    if (sent >= 0) return "sent";
    const error = new SyscallError("send", lastErrno(), "a packet");
    if (isErrno(error, "EAGAIN", "ENOBUFS", "EINTR")) return "full";
    if (isErrno(error, "EPIPE", "ECONNRESET", "ENOTCONN", "ECONNREFUSED")) return "closed";
    throw error;
  }

  /** Half-close: the peer reads to the end and then sees it. */
  end(): void {
    if (this.#fd !== undefined) this.#calls.shutdown(this.#fd, SHUT_WR);
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

interface SocketCalls {
  readonly send: (fd: number, data: Uint8Array, length: number, flags: number) => number | bigint;
  readonly shutdown: (fd: number, how: number) => number;
}

/** Connects to a listening SOCK_SEQPACKET socket for sending. Throws SyscallError (ENOENT, ECONNREFUSED, EAGAIN). */
export function bindPacketSender(): (path: string) => PacketSender {
  return bindSender(SOCK_SEQPACKET, "AF_UNIX SOCK_SEQPACKET");
}

/** The same for a socket that datagrams are sent to: `/dev/log`, the journal. */
export function bindDatagramSender(): (path: string) => PacketSender {
  return bindSender(SOCK_DGRAM, "AF_UNIX SOCK_DGRAM");
}

function bindSender(type: number, kind: string): (path: string) => PacketSender {
  const libc = loadLibc();
  const socket = libc.func("int socket(int, int, int)");
  const connect = libc.func("int connect(int, const void *, uint32_t)");
  const shutdown = libc.func("int shutdown(int, int)");
  const send = libc.func("int64_t send(int, const void *, size_t, int)");
  return (path) => {
    const address = unixAddress(path);
    const fd: number = socket(AF_UNIX, type | CLOEXEC_NONBLOCK, 0);
    if (fd < 0) throw new SyscallError("socket", lastErrno(), kind);
    if (connect(fd, address, address.length) !== 0) {
      const error = new SyscallError("connect", lastErrno(), path);
      closeSync(fd);
      throw error;
    }
    shutdown(fd, SHUT_RD);
    return new PacketSender(fd, { send, shutdown });
  };
}

function unixAddress(path: string): Buffer {
  const name = Buffer.from(path, "utf8");
  if (name.length > PATH_BYTES) throw new RangeError(`socket name over ${PATH_BYTES} bytes: ${path}`);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}
