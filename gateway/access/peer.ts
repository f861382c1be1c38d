import type { Socket } from "node:net";
import { loadLibc } from "../../services/kit/linux/libc.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;

/** Who is at the other end of a unix socket, as the kernel says. `uid:0 pid:123`; empty when it does not say. */
export type PeerReader = (socket: Socket) => string;

/** See unix(7), SO_PEERCRED: struct ucred { pid_t pid; uid_t uid; gid_t gid }. */
export function peerReader(): PeerReader {
  const getsockopt = loadLibc().func(
    "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
  );
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === undefined) return "";
    const credentials = Buffer.alloc(12);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, [credentials.length]) !== 0) return "";
    return `uid:${credentials.readUInt32LE(4)} pid:${credentials.readInt32LE(0)}`;
  };
}

/** Gives a unix socket its peer for an address, so that gRPC's `getPeer` says who called: it has none of its own. */
export function named(socket: Socket, peer: string): Socket {
  return Object.defineProperty(socket, "remoteAddress", { value: peer });
}

/** Node has no public way to a socket's descriptor; its handle has had this property since the beginning. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null || !("fd" in handle)) return undefined;
  return typeof handle.fd === "number" && handle.fd >= 0 ? handle.fd : undefined;
}
