import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";
import type { PortProtocol } from "../nftables/ports.ts";

export interface PortOwner {
  readonly pid: number;
  /** Its executable's name. */
  readonly program: string;
}

/**
 * The program that has a socket on this port of the host, by /proc; undefined when it is not to be seen (a TCP socket that
 * is bound and neither listens nor is connected, SCTP, a process in another namespace). Reads every process's files, some
 * 10 ms: for error texts only.
 */
export async function portOwner(protocol: PortProtocol, port: number): Promise<PortOwner | undefined> {
  const tables = await Promise.all([protocol, `${protocol}6`].map((name) => readText(`/proc/net/${name}`)));
  const inodes = new Set(tables.flatMap((table) => inodesOnPort(table, port)).map((inode) => `socket:[${inode}]`));
  if (inodes.size === 0) return undefined;
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry) || !(await hasFile(entry, inodes))) continue;
    return { pid: Number(entry), program: basename(await readLink(`/proc/${entry}/exe`)) };
  }
  return undefined;
}

/** Inodes of the sockets whose local port it is. proc(5): `sl local_address remote_address st … inode`, hexadecimal. */
export function inodesOnPort(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${hex}`))
    .flatMap((fields) => (fields[9] === undefined || fields[9] === "0" ? [] : [fields[9]]));
}

async function hasFile(pid: string, targets: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []); // it ended meanwhile
  for (const file of files) {
    if (targets.has(await readLink(`/proc/${pid}/fd/${file}`))) return true;
  }
  return false;
}

/** Empty where it is gone, or hidden. */
function readLink(path: string): Promise<string> {
  return readlink(path).catch(() => "");
}

/** Empty where there is no such file: a protocol that the kernel lacks, a process that has ended. */
function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
