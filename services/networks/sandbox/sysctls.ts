import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { SyscallError } from "../../kit/linux/libc.ts";

/** Names as sysctl(8) writes paths: `net/ipv4/ip_forward`. */
export type Sysctls = Readonly<Record<string, string>>;

/**
 * What a sandbox begins with. Docker's two: any user may bind a low port and send a ping. Redirects are not believed: a
 * caller that reaches its neighbour through the host's address would be told to go there directly, past the NAT. Every
 * interface that comes later announces itself (arp_notify) and has IPv6 only where its network has.
 */
export function sandboxSysctls(hasIpv6: boolean): Sysctls {
  return {
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 2147483647",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    "net/ipv4/conf/default/arp_notify": "1",
    "net/ipv6/conf/default/disable_ipv6": hasIpv6 ? "0" : "1",
    // what it has of IPv6 we give it: nobody need be asked for a router, nor for a second whether an address is free
    "net/ipv6/conf/default/accept_ra": "0",
    "net/ipv6/conf/default/accept_dad": "0",
  };
}

/**
 * Writes to the network namespace of the calling thread: /proc/sys/net shows each thread its own. Synchronous for that
 * reason, 10 to 20 µs each. A kernel without IPv6 lacks those names, which is no error.
 */
export function writeSysctls(sysctls: Sysctls): void {
  for (const [name, value] of Object.entries(sysctls)) {
    try {
      writeFileSync(`/proc/sys/${name}`, value);
    } catch (error) {
      if (!name.startsWith("net/ipv6/") || !isMissing(error)) throw error;
    }
  }
}

/** The same of an interface: what a person asked for, so that a refusal says which it was. */
export function writeInterfaceSysctls(interfaceName: string, sysctls: Sysctls): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const path = name.replace("/IFNAME/", `/${interfaceName}/`);
    try {
      writeSysctls({ [path]: value });
    } catch (error) {
      const errno = error instanceof Error && "errno" in error ? Math.abs(Number(error.errno)) : 0;
      throw new SyscallError("write", errno, `/proc/sys/${path}`);
    }
  }
}

/** Undefined where the kernel has no such name. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, "utf8").trim();
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The names below one; none where the kernel has no such name. */
export function listSysctls(name: string): string[] {
  try {
    return readdirSync(`/proc/sys/${name}`);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
