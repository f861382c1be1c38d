import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";

/** A process for as long as it lives: its pid may be given away again, its start time (clock ticks since boot) not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** See proc_pid_stat(5): field 22, counted behind the name, which may hold blanks and parentheses. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { pid, startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  return identityOf(pid)?.startTicks === startTicks;
}

/** Signals exactly that process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch {
    return false;
  }
}

/**
 * Processes with this argument, the newest first: how a gateway finds again what an earlier one started, with no file
 * that could be missing or stale.
 */
export async function processesWith(argument: string): Promise<{ identity: ProcessIdentity; args: string[] }[]> {
  const found: { identity: ProcessIdentity; args: string[] }[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const args = (await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "")).split("\0");
    const identity = args.includes(argument) ? identityOf(Number(entry)) : undefined;
    if (identity !== undefined) found.push({ identity, args });
  }
  return found.sort((a, b) => b.identity.startTicks - a.identity.startTicks);
}
