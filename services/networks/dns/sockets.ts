import { closeSync } from "node:fs";
import { lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { NftContext } from "../nftables/context.ts";
import { bindRaise, type LowDescriptor } from "../nftables/low-descriptor.ts";
import type { Namespaces } from "../sandbox/namespaces.ts";
import { DNS_ADDRESS } from "./address.ts";

/** Listening sockets of one sandbox, on ports that the kernel chose. Whoever gets them closes them. */
export interface DnsSockets {
  readonly udpFd: number;
  readonly tcpFd: number;
}

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const BACKLOG = 64;
const ADDRESS_BYTES = 16;
const TABLE = "ctl_dns";

/**
 * Sockets made inside a sandbox, served by a thread outside of it: a socket stays in the namespace that it was made in.
 * Port 53 itself is left to the container: a table of the sandbox's own leads there what is sent to 127.0.0.11:53, so
 * that a DNS server in the container finds its port free. Runs in the host thread; 0.8 ms, most of it the table.
 */
export function openDnsSockets(
  { namespaces, low }: { readonly namespaces: Namespaces; readonly low: LowDescriptor },
  netnsPath: string,
): DnsSockets {
  return namespaces.enter(netnsPath, () => {
    const calls = bindSocketCalls();
    const udp = boundSocket(calls, SOCK_DGRAM);
    try {
      const tcp = boundSocket(calls, SOCK_STREAM);
      try {
        redirect(low, udp.port, tcp.port);
        return { udpFd: calls.raise(udp.fd), tcpFd: calls.raise(tcp.fd) };
      } catch (error) {
        closeSync(tcp.fd);
        throw error;
      }
    } catch (error) {
      closeSync(udp.fd);
      throw error;
    }
  });
}

type SocketCalls = ReturnType<typeof bindSocketCalls>;

function bindSocketCalls() {
  const libc = loadLibc();
  return {
    socket: libc.func("int socket(int, int, int)"),
    bind: libc.func("int bind(int, const void *, uint32_t)"),
    listen: libc.func("int listen(int, int)"),
    raise: bindRaise(),
    getsockname: libc.func("int getsockname(int, _Out_ uint8_t *, _Inout_ uint32_t *)"),
  };
}

function boundSocket(calls: SocketCalls, type: number): { readonly fd: number; readonly port: number } {
  const fd: number = calls.socket(AF_INET, type | SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new SyscallError("socket", lastErrno(), DNS_ADDRESS);
  try {
    check(calls.bind(fd, socketAddress(), ADDRESS_BYTES), "bind");
    if (type === SOCK_STREAM) check(calls.listen(fd, BACKLOG), "listen");
    const name = Buffer.alloc(ADDRESS_BYTES);
    check(calls.getsockname(fd, name, [ADDRESS_BYTES]), "getsockname");
    return { fd, port: name.readUInt16BE(2) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** struct sockaddr_in of ip(7); port 0: one that is free. */
function socketAddress(): Buffer {
  const address = Buffer.alloc(ADDRESS_BYTES);
  address.writeUInt16LE(AF_INET, 0);
  DNS_ADDRESS.split(".").forEach((part, index) => {
    address.writeUInt8(Number(part), 4 + index);
  });
  return address;
}

/** Another process's table of before, with ports that nobody listens on any more, is replaced. */
function redirect(low: LowDescriptor, udpPort: number, tcpPort: number): void {
  using stack = new DisposableStack();
  stack.defer(() => low.takeBack());
  const nft = stack.use(low.lend(() => new NftContext()));
  const outcome = nft.run({
    output: "none",
    script: `add table ip ${TABLE}
delete table ip ${TABLE}
table ip ${TABLE} {
  chain output {
    type nat hook output priority -100
    ip daddr ${DNS_ADDRESS} udp dport 53 dnat to ${DNS_ADDRESS}:${udpPort}
    ip daddr ${DNS_ADDRESS} tcp dport 53 dnat to ${DNS_ADDRESS}:${tcpPort}
  }
}
`,
  });
  if (!outcome.isApplied) throw new Error(`the sandbox's DNS table was refused: ${outcome.text}`);
}

function check(result: number, syscall: string): void {
  if (result !== 0) throw new SyscallError(syscall, lastErrno(), DNS_ADDRESS);
}
