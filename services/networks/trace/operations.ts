import { readFileSync } from "node:fs";
import { errnoName, isErrno, lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { parseAddress } from "../ipam/address.ts";
import { listLinks } from "../netlink/links.ts";
import { lookUpRoute } from "../netlink/routes.ts";
import { type NetlinkCalls, NetlinkSocket } from "../netlink/socket.ts";
import { socketAddress } from "../ports/socket-address.ts";
import type { Namespaces } from "../sandbox/namespaces.ts";

export interface FoundRoute {
  readonly kind: "local" | "onward" | "refused" | "none";
  readonly linkName: string;
  /** Undefined: on the link. */
  readonly gateway: string | undefined;
  readonly source: string | undefined;
}

/** Empty: the host's own. */
interface InNamespace {
  readonly netnsPath: string;
}

export interface StartedConnect {
  /** Whoever gets it closes it. */
  readonly fd: number;
  /** The kernel refused at once: its errno's name; empty: it is under way. */
  readonly refused: string;
}

const PROTOCOL_FILES = { tcp: ["tcp", "tcp6"], udp: ["udp", "udp6"], sctp: ["sctp/eps"] } as const;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0o2004000;

/** What the trace of a connection asks of a namespace: everything here runs in the host thread. */
export function traceOperations(calls: NetlinkCalls, namespaces: Namespaces) {
  const within = <T>(netnsPath: string, work: () => T): T =>
    netnsPath === "" ? work() : namespaces.enter(netnsPath, work);
  return {
    findRoute: ({ netnsPath, address }: InNamespace & { readonly address: string }) =>
      within(netnsPath, () => findRoute(calls, address)),
    readSocketTables: ({ netnsPath, protocol }: InNamespace & { readonly protocol: keyof typeof PROTOCOL_FILES }) =>
      within(netnsPath, () => PROTOCOL_FILES[protocol].map(readTable)),
    startConnect: ({ netnsPath, address, port }: InNamespace & { readonly address: string; readonly port: number }) =>
      within(netnsPath, () => startConnect(address, port)),
    openAskingSocket: ({ netnsPath }: InNamespace) => within(netnsPath, openAskingSocket),
  };
}

function findRoute(calls: NetlinkCalls, address: string): FoundRoute {
  using socket = new NetlinkSocket(calls);
  try {
    const { linkIndex, ...found } = lookUpRoute(socket, address);
    const linkName = listLinks(socket).find(({ index }) => index === linkIndex)?.name ?? "";
    return { ...found, linkName };
  } catch (error) {
    if (!isErrno(error, "ENETUNREACH", "EHOSTUNREACH", "EACCES", "EINVAL")) throw error;
    return { kind: "none", linkName: "", gateway: undefined, source: undefined };
  }
}

/** Empty where the kernel lacks the protocol. */
function readTable(name: string): string {
  try {
    return readFileSync(`/proc/thread-self/net/${name}`, "utf8");
  } catch {
    return "";
  }
}

function startConnect(address: string, port: number): StartedConnect {
  const libc = loadLibc();
  const { family, bytes } = parseAddress(address);
  const target = socketAddress(family, bytes, port);
  const fd: number = libc.func("int socket(int, int, int)")(
    target.readUInt16LE(0),
    SOCK_STREAM | SOCK_NONBLOCK_CLOEXEC,
    0,
  );
  if (fd < 0) throw new SyscallError("socket", lastErrno(), address);
  if (libc.func("int connect(int, const void *, uint32_t)")(fd, target, target.length) === 0)
    return { fd, refused: "" };
  const errno = errnoName(lastErrno());
  return { fd, refused: errno === "EINPROGRESS" ? "" : errno };
}

function openAskingSocket(): number {
  const libc = loadLibc();
  const any = socketAddress(4, Buffer.alloc(4), 0);
  const fd: number = libc.func("int socket(int, int, int)")(any.readUInt16LE(0), SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new SyscallError("socket", lastErrno(), "udp");
  if (libc.func("int bind(int, const void *, uint32_t)")(fd, any, any.length) === 0) return fd;
  const error = new SyscallError("bind", lastErrno(), "udp");
  libc.func("int close(int)")(fd);
  throw error;
}
