import { lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import {
  attributeText,
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  HEADER_BYTES,
  type NetlinkMessage,
  type NetlinkRequest,
} from "./message.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

/** The kernel answers inside of send(2), so this is reached only when something is broken. */
const ANSWER_TIMEOUT_S = 5;
const RECEIVE_BYTES = 64 * 1024;
const DUMP_ATTEMPTS = 5;

export type NetlinkProtocol = "route" | "netfilter";
const PROTOCOLS = { route: 0, netfilter: 12 } as const satisfies Record<NetlinkProtocol, number>;

/** The system calls that netlink needs, bound once per thread, with the one receive buffer that its sockets share. */
export interface NetlinkCalls {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Buffer, length: number) => number;
  readonly send: (fd: number, data: Buffer, length: number, flags: number) => number;
  readonly recv: (fd: number, data: Buffer, length: number, flags: number) => number;
  readonly close: (fd: number) => number;
  readonly buffer: Buffer;
}

export function bindNetlinkCalls(): NetlinkCalls {
  const libc = loadLibc();
  return {
    socket: libc.func("int socket(int, int, int)"),
    setsockopt: libc.func("int setsockopt(int, int, int, const void *, uint32_t)"),
    send: libc.func("int64_t send(int, const void *, size_t, int)"),
    recv: libc.func("int64_t recv(int, void *, size_t, int)"),
    close: libc.func("int close(int)"),
    buffer: Buffer.alloc(RECEIVE_BYTES),
  };
}

/**
 * One netlink socket of the network namespace in which its thread was when it was opened; it goes on speaking for that
 * namespace wherever the thread goes, and keeps it alive until disposed. Use it from the thread that opened it.
 * Its calls are synchronous, 30 to 100 µs each as long as nobody else holds the kernel's rtnl lock.
 */
export class NetlinkSocket implements Disposable {
  readonly #calls: NetlinkCalls;
  #fd: number;
  #sequence = 0;

  constructor(calls: NetlinkCalls, protocol: NetlinkProtocol = "route") {
    this.#calls = calls;
    this.#fd = calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, PROTOCOLS[protocol]);
    if (this.#fd < 0) throw new SyscallError("socket", lastErrno(), `netlink ${protocol}`);
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(ANSWER_TIMEOUT_S), 0);
    calls.setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK]) {
      // a kernel that lacks one of these gives shorter errors or longer dumps, nothing worse
      calls.setsockopt(this.#fd, SOL_NETLINK, option, Buffer.from([1, 0, 0, 0]), 4);
    }
  }

  /**
   * Runs the requests in order with one system call and waits for their answers. The kernel goes on after a request
   * that it refuses; the first refusal is thrown when all have run, as a SyscallError with the kernel's own words.
   */
  execute(requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    const first = this.#sequence + 1;
    const last = this.#sequence + requests.length;
    // a refusal is always answered, so an answer asked for the last one alone says how all of them went
    this.#send(requests.map((one, i) => encodeMessage(one, this.#flags(first + i === last), first + i)));
    this.#sequence = last;
    const failures: SyscallError[] = [];
    for (let isDone = false; !isDone; ) {
      for (const message of this.#receive()) {
        const request = requests[message.sequence - first];
        if (request === undefined || message.type !== NLMSG_ERROR) continue;
        const failure = refusal(message, request.what);
        if (failure !== undefined) failures.push(failure);
        if (message.sequence === last) isDone = true;
      }
    }
    if (failures[0] !== undefined) throw failures[0];
  }

  /** The messages that answer a dump. Done again when the kernel says that the table changed meanwhile. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      const { messages, wasInterrupted } = this.#dumpOnce(request);
      if (!wasInterrupted || attempt === DUMP_ATTEMPTS) return messages;
    }
  }

  /** The one message that answers a query about one object. */
  query(request: NetlinkRequest): NetlinkMessage {
    const sequence = ++this.#sequence;
    this.#send([encodeMessage(request, NLM_F_REQUEST, sequence)]);
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        const failure = message.type === NLMSG_ERROR ? refusal(message, request.what) : undefined;
        if (failure !== undefined) throw failure;
        return { ...message, body: Buffer.from(message.body) };
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) this.#calls.close(this.#fd);
    this.#fd = -1;
  }

  #dumpOnce(request: NetlinkRequest): { messages: NetlinkMessage[]; wasInterrupted: boolean } {
    const sequence = ++this.#sequence;
    this.#send([encodeMessage(request, NLM_F_REQUEST | NLM_F_DUMP, sequence)]);
    const messages: NetlinkMessage[] = [];
    let wasInterrupted = false;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) wasInterrupted = true;
        if (message.type === NLMSG_DONE) return { messages, wasInterrupted };
        const failure = message.type === NLMSG_ERROR ? refusal(message, request.what) : undefined;
        if (failure !== undefined) throw failure;
        messages.push({ ...message, body: Buffer.from(message.body) });
      }
    }
  }

  #flags(isLast: boolean): number {
    return isLast ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST;
  }

  #send(messages: readonly Buffer[]): void {
    const data = Buffer.concat(messages);
    const sent = this.#calls.send(this.#fd, data, data.length, 0);
    if (sent !== data.length) throw new SyscallError("send", lastErrno(), "to netlink");
  }

  #receive(): NetlinkMessage[] {
    const { buffer } = this.#calls;
    const length = Number(this.#calls.recv(this.#fd, buffer, buffer.length, 0));
    if (length < 0) throw new SyscallError("recv", lastErrno(), "from netlink");
    return decodeMessages(buffer.subarray(0, length));
  }
}

/** What an NLMSG_ERROR refuses; undefined for an acknowledgement, which is an error of 0. */
function refusal(message: NetlinkMessage, what: string): SyscallError | undefined {
  const errno = -message.body.readInt32LE(0);
  if (errno === 0) return undefined;
  const hasText = (message.flags & NLM_F_ACK_TLVS) !== 0;
  const attributes = hasText ? decodeAttributes(message.body.subarray(4 + HEADER_BYTES)) : new Map<number, Buffer>();
  const text = attributeText(attributes.get(NLMSGERR_ATTR_MSG));
  return new SyscallError("netlink", errno, text === "" ? what : `${what} (${text})`);
}
