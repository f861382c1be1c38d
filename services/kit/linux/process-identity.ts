import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/**
 * Which process is meant, beyond its number: a pid comes back after a wrap of the counter, a start time (clock ticks
 * since boot) after a reboot.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** One letter, see proc_pid_stat(5): `Z` is a zombie, `T` stopped. */
  readonly state: string;
  readonly startTicks: number;
}

export async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}

/** Undefined: there is no such process. In this thread: it is memory of the kernel's, 15 µs instead of 150 by the pool. */
export async function readProcessStat(pid: number): Promise<ProcessStat | undefined> {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

export function parseProcessStat(text: string): ProcessStat {
  // the name in parentheses may itself hold blanks and parentheses
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    startTicks: Number(fields[19]),
  };
}

/** The identity of a process that lives now; undefined when there is none or only its zombie. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readProcessStat(pid);
  if (stat === undefined || stat.state === "Z" || stat.state === "X") return undefined;
  return { pid, startTicks: stat.startTicks, bootId: await readBootId() };
}

/** Whether that very process still runs; a zombie does not. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}
