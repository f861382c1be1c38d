import { runCommand } from "../kit/command.ts";
import type { Db } from "../kit/database.ts";
import { within } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { containerCgroups } from "./cgroups/placement.ts";
import { processesIn } from "./cgroups/processes.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import { notRunning } from "./kill.ts";
import { isUp } from "./lifecycle.ts";
import type { ContainerId } from "./spec/spec.ts";

export interface ProcessTable {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

const PS_TIMEOUT_MS = 10_000;

/**
 * The container's processes as the host's ps(1) shows them with the caller's options, which must include the pid.
 * Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING; INVALID_ARGUMENT PS_OPTIONS_INVALID.
 */
export async function topContainer(
  db: Db,
  host: ContainerHost,
  reference: string,
  options: string,
  signal: AbortSignal,
): Promise<ProcessTable> {
  const row = await findContainer(db, reference);
  if (!isUp(row.state)) throw notRunning(row.name);
  const { payload } = containerCgroups(host.cgroupParent, row.id as ContainerId, row.spec.cgroupParent);
  const pids = new Set((await processesIn(host.layout, payload)).map(String));
  const args = (options === "" ? "-ef" : options).split(/\s+/).filter((part) => part !== "");
  const { exitCode, stdout, stderr } = await runCommand("ps", args, {
    signal: within(signal, PS_TIMEOUT_MS, "run ps"),
  });
  if (exitCode !== 0) throw badOptions(options, stderr.split("\n")[0] ?? "");
  return parseTable(stdout, pids, options);
}

function parseTable(text: string, pids: ReadonlySet<string>, options: string): ProcessTable {
  const [head = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const titles = head.trim().split(/\s+/);
  const pidAt = titles.indexOf("PID");
  if (pidAt < 0) throw badOptions(options, "its output has no PID column");
  const rows = lines.map((line) => cut(line, titles.length));
  return { titles, processes: rows.filter((fields) => pids.has(fields[pidAt] ?? "")) };
}

/** The last column (the command) may hold blanks. */
function cut(line: string, columns: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(" ")];
}

function badOptions(options: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "PS_OPTIONS_INVALID",
    what: `list processes with ps ${options}`,
    why,
    fix: "use options of the host's ps that show the PID column",
  });
}
