import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { CtlError } from "../../kit/errors.ts";
import { isErrno, lastErrno, loadLibc, SyscallError } from "../../kit/linux/libc.ts";
import { parseAddress } from "../ipam/address.ts";
import { AF_INET, AF_INET6 } from "../netlink/addresses.ts";
import { bindRaise } from "../nftables/low-descriptor.ts";
import type { PortProtocol } from "../nftables/ports.ts";
import { readSysctl } from "../sandbox/sysctls.ts";
import { portOwner } from "./port-owner.ts";
import { socketAddress } from "./socket-address.ts";

/** A port of the host, or all of its addresses' port of that number. */
export interface HostPort {
  /** Empty: all IPv4 addresses; `::`: all IPv6 addresses. */
  readonly hostIp: string;
  readonly protocol: PortProtocol;
  readonly port: number;
}

/** As `hostIp`. */
export const ALL_IPV6 = "::";

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

const SOCK_CLOEXEC = 0o2000000;
const KINDS = {
  tcp: { type: 1, protocol: 6 },
  udp: { type: 2, protocol: 17 },
  sctp: { type: 1, protocol: 132 },
} as const satisfies Record<PortProtocol, { type: number; protocol: number }>;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** The kernel's usual size of a socket's buffer. */
const CARRIED_BYTES = 212_992;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * Holds published ports against the host's other programs: a socket each, bound and not listening. Not through Node:
 * libuv sets SO_REUSEADDR, and then a program that sets it too takes the port (tried). Sockets with SO_REUSEPORT and an
 * owner that nobody else has (`reservationOwner`): so all replicas of this instance hold each port at the same time, and
 * none has to hand it over, while a program of root's is refused, with SO_REUSEPORT too (tried). What is held lives as
 * long as this process; the packets themselves are translated before they come near the socket. 15 µs a port.
 */
export class HostPorts implements Disposable {
  readonly #calls = bindCalls();
  readonly #owner: number;
  readonly #held = new Map<string, Held>();

  constructor(owner: number) {
    this.#owner = owner;
  }

  /**
   * Takes the port for a holder; several may have the same for a moment, the rows say whose it is. False: this holder had
   * it already. Throws ALREADY_EXISTS PORT_HELD_BY_PROGRAM; FAILED_PRECONDITION HOST_ADDRESS_MISSING for an address that
   * the host does not have.
   */
  async reserve(port: HostPort, holder: string): Promise<boolean> {
    try {
      return this.#hold(port, holder);
    } catch (error) {
      throw await reservationError(error, port);
    }
  }

  /**
   * Takes the first port of the range that is free at all of these addresses, beginning at `start`, and returns it.
   * `isTaken` leaves out those that somebody has by a row. Throws RESOURCE_EXHAUSTED NO_FREE_PORT, and HOST_ADDRESS_MISSING.
   */
  async reserveOneOf(
    { wanted, range, holder }: { wanted: WantedPort; range: SearchRange; holder: string },
    isTaken: (port: number) => boolean,
  ): Promise<number> {
    for (const number of portsOf(range)) {
      const ports = wanted.hostIps.map((hostIp) => ({ hostIp, protocol: wanted.protocol, port: number }));
      if (isTaken(number) || ports.some((port) => this.#held.has(keyOf(port)))) continue;
      if (await this.#holdAll(ports, holder)) return number;
    }
    throw noFreePort(wanted, range);
  }

  /** Lets go of a holder's port; the socket is closed with its last holder. Not held is no error. */
  release(port: HostPort, holder: string): void {
    const held = this.#held.get(keyOf(port));
    if (held === undefined) return;
    held.holders.delete(holder);
    if (held.holders.size > 0) return;
    if (held.fd >= 0) this.#calls.close(held.fd);
    this.#held.delete(keyOf(port));
  }

  /**
   * One more socket of a port, for who carries what comes to it; its owner closes it. Of UDP it is the one that holds the
   * port, since of two the kernel would give each a part of the callers. Undefined: the host has no such address, or no
   * such protocol. Throws what bind(2) refuses.
   */
  openAnother(port: HostPort): number | undefined {
    const held = this.#held.get(keyOf(port));
    if (port.protocol === "udp" && held !== undefined && held.fd >= 0) return duplicate(this.#calls, held.fd);
    try {
      const fd = bindSocket(this.#calls, port, this.#owner);
      return fd < 0 ? undefined : fd;
    } catch (error) {
      if (isErrno(error, "EADDRNOTAVAIL")) return undefined;
      throw error;
    }
  }

  /** What each holder has. */
  list(): Map<string, HostPort[]> {
    const ports = new Map<string, HostPort[]>();
    for (const { port, holders } of this.#held.values()) {
      for (const holder of holders) ports.set(holder, [...(ports.get(holder) ?? []), port]);
    }
    return ports;
  }

  [Symbol.dispose](): void {
    for (const [holder, ports] of this.list()) for (const port of ports) this.release(port, holder);
  }

  /** All or none; false: a program has one of them. */
  async #holdAll(ports: readonly HostPort[], holder: string): Promise<boolean> {
    const held: HostPort[] = [];
    for (const port of ports) {
      try {
        this.#hold(port, holder);
        held.push(port);
      } catch (error) {
        for (const one of held) this.release(one, holder);
        if (!isErrno(error, "EADDRINUSE")) throw await reservationError(error, port);
        return false;
      }
    }
    return true;
  }

  #hold(port: HostPort, holder: string): boolean {
    const held = this.#held.get(keyOf(port));
    if (held?.holders.has(holder)) return false;
    if (held !== undefined) held.holders.add(holder);
    else
      this.#held.set(keyOf(port), { port, holders: new Set([holder]), fd: bindSocket(this.#calls, port, this.#owner) });
    return true;
  }
}

export interface WantedPort {
  readonly hostIps: readonly string[];
  readonly protocol: PortProtocol;
}

interface Held {
  readonly port: HostPort;
  readonly holders: Set<string>;
  readonly fd: number;
}

export type SearchRange = PortRange & { readonly start?: number };

/**
 * A user id for the sockets, from the instance's name: what shares a port by SO_REUSEPORT must have the same one. Above
 * 2^30, where no user of a host is.
 */
export function reservationOwner(instance: string): number {
  return 0x40000000 + (createHash("sha256").update(instance).digest().readUInt32BE(0) & 0x3fffffff);
}

/** From which the kernel takes ports for connections, and we take those that nobody named: 32768 to 60999. */
export function ephemeralRange(): PortRange {
  const [from = 32_768, to = 60_999] = (readSysctl("net/ipv4/ip_local_port_range") ?? "").split(/\s+/).map(Number);
  return { from, to };
}

/** Whether the host has an address of IPv6 at all. */
export function hasIpv6(): boolean {
  try {
    return readFileSync("/proc/net/if_inet6", "utf8") !== "";
  } catch {
    return false; // a kernel without it
  }
}

type SocketCalls = ReturnType<typeof bindCalls>;

function bindCalls() {
  const libc = loadLibc();
  const socket: (family: number, type: number, protocol: number) => number = libc.func("int socket(int, int, int)");
  const setsockopt: (fd: number, level: number, name: number, value: Buffer, length: number) => number = libc.func(
    "int setsockopt(int, int, int, const void *, uint32_t)",
  );
  const bind: (fd: number, address: Buffer, length: number) => number = libc.func(
    "int bind(int, const void *, uint32_t)",
  );
  const dup: (fd: number) => number = libc.func("int dup(int)");
  const close: (fd: number) => number = libc.func("int close(int)");
  // of this thread alone, and only of what it makes: setfsuid(2)
  const setfsuid: (uid: number) => number = libc.func("int setfsuid(uint32_t)");
  return { socket, setsockopt, bind, dup, close, setfsuid, raise: bindRaise() };
}

/** -1: the kernel has no such protocol (SCTP is a module), so no program can have the port either. */
function bindSocket(calls: SocketCalls, port: HostPort, owner: number): number {
  const { family, bytes } = parseAddress(port.hostIp === "" ? "0.0.0.0" : port.hostIp);
  const { type, protocol } = KINDS[port.protocol];
  const own = calls.setfsuid(owner);
  const fd = calls.socket(family === 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, protocol);
  const socketErrno = lastErrno();
  calls.setfsuid(own);
  if (fd < 0) {
    const errno = new SyscallError("socket", socketErrno, port.protocol);
    if (isErrno(errno, "EPROTONOSUPPORT", "EAFNOSUPPORT", "ESOCKTNOSUPPORT")) return -1;
    throw errno;
  }
  calls.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, Buffer.from([1, 0, 0, 0]), 4);
  if (family === 6) calls.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, Buffer.from([1, 0, 0, 0]), 4);
  // while a mapping is not there yet a UDP socket would collect what comes
  if (port.protocol === "udp") calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, Buffer.alloc(4), 4);
  const address = socketAddress(family, bytes, port.port);
  if (calls.bind(fd, address, address.length) === 0) return calls.raise(fd);
  const error = new SyscallError("bind", lastErrno(), nameOfPort(port));
  calls.close(fd);
  throw error;
}

/** It is read from now on, so it may hold what waits. */
function duplicate(calls: SocketCalls, fd: number): number {
  const copy = calls.dup(fd);
  if (copy < 0) throw new SyscallError("dup", lastErrno(), "a published port");
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(CARRIED_BYTES);
  calls.setsockopt(copy, SOL_SOCKET, SO_RCVBUF, bytes, 4);
  return copy;
}

function* portsOf({ from, to, start = from }: SearchRange): Generator<number> {
  const count = to - from + 1;
  for (let i = 0; i < count; i++) yield from + ((start - from + i) % count);
}

async function reservationError(error: unknown, port: HostPort): Promise<unknown> {
  if (isErrno(error, "EADDRINUSE")) return portInUse(error, port);
  if (!isErrno(error, "EADDRNOTAVAIL")) return error;
  return new CtlError("FAILED_PRECONDITION", {
    reason: "HOST_ADDRESS_MISSING",
    what: `publish ${nameOfPort(port)}`,
    why: `the host does not have the address ${port.hostIp}`,
    fix: "name one of the host's addresses (ip address), or none for all of them",
    cause: error,
  });
}

async function portInUse(cause: SyscallError, port: HostPort): Promise<CtlError> {
  const owner = await portOwner(port.protocol, port.port);
  return new CtlError("ALREADY_EXISTS", {
    reason: "PORT_HELD_BY_PROGRAM",
    what: `publish ${nameOfPort(port)}`,
    why: `${owner === undefined ? "another program" : `${owner.program} (process ${owner.pid})`} holds that port`,
    fix: "stop it or publish another port (-p HOST_PORT:CONTAINER_PORT)",
    cause,
  });
}

function noFreePort({ hostIps, protocol }: WantedPort, range: PortRange): CtlError {
  const addresses = hostIps.some((hostIp) => hostIp === "") ? "all addresses" : hostIps.join(", ");
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "NO_FREE_PORT",
    what: `publish a port of ${range.from}-${range.to}`,
    why: `none of them is free for ${protocol} on ${addresses}`,
    fix: "name a larger range, or remove containers that publish ports",
  });
}

function keyOf({ hostIp, protocol, port }: HostPort): string {
  return `${protocol} ${port} ${hostIp}`;
}

/** As people write it: `0.0.0.0:8080/tcp`. */
export function nameOfPort({ hostIp, protocol, port }: HostPort): string {
  const address = hostIp === "" ? "0.0.0.0" : hostIp;
  return `${address.includes(":") ? `[${address}]` : address}:${port}/${protocol}`;
}
