import { type CommandResult, runCommand } from "../kit/command.ts";
import type { Database } from "../kit/database.ts";
import { within } from "../kit/deadlines.ts";
import { CtlError } from "../kit/errors.ts";
import { containerCgroups } from "./cgroups/placement.ts";
import { processesIn } from "./cgroups/processes.ts";
import { recordContainerEvent } from "./events.ts";
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
/** Of a host with a hundred thousand processes. */
const PS_OUTPUT_BYTES = 32 * 1024 * 1024;
/** execve(2) takes no argument of more than 128 KiB. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

/**
 * The container's processes as the host's ps(1) shows them with the caller's options, which must include the pid.
 * Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING; INVALID_ARGUMENT PS_OPTIONS_INVALID.
 */
export async function topContainer(
  db: Database,
  host: ContainerHost,
  reference: string,
  options: string,
  signal: AbortSignal,
): Promise<ProcessTable> {
  const args = parseOptions(options);
  const row = await findContainer(db, reference);
  if (!isUp(row.state)) throw notRunning(row.name);
  const { payload } = containerCgroups(host.cgroupParent, row.id as ContainerId, row.spec.cgroupParent);
  const pids = (await processesIn(host.layout, payload)).map(String);
  const { text, isFiltered } = await ps(args, pids, within(signal, PS_TIMEOUT_MS, "run ps"));
  const table = parseTable(text, isFiltered ? undefined : new Set(pids), options);
  await recordContainerEvent(db, "top", row);
  return table;
}

/** `-o user=PID` would let another column pass for the pid. */
function parseOptions(options: string): string[] {
  const renamed = /([^\s=]+)=\s*PID\b/.exec(options);
  if (renamed !== null && renamed[1] !== "pid") throw badOptions(options, `"${renamed[0]}" names another column PID`);
  return (options === "" ? "-ef" : options).split(/[ \t\n\v\f\r]+/).filter((part) => part !== "");
}

interface PsOutput {
  readonly text: string;
  /** ps was told the pids, and its lines are the container's whatever they look like. */
  readonly isFiltered: boolean;
}

/**
 * Three ways, since ps chooses by itself what it lists and `-o pid,comm` alone would be the daemon's own terminal:
 * `-q` lists these pids and no others, but cannot sort or draw a forest; `-p` can, but beside other choices it lists
 * more; and the caller's own choice (`-u root`) goes with neither. Docker leaves out the second, and then shows nothing.
 */
async function ps(args: readonly string[], pids: readonly string[], signal: AbortSignal): Promise<PsOutput> {
  const list = pids.join(",");
  const isSayable = list !== "" && list.length <= LONGEST_ARGUMENT;
  if (isSayable) {
    const quick = await run(["-q", list, ...args], signal);
    if (isAnswer(quick)) return { text: quick.stdout, isFiltered: true };
    if (/forest|sort/.test(firstLine(quick))) {
      const chosen = await run(["-p", list, ...args], signal);
      if (isAnswer(chosen)) return { text: chosen.stdout, isFiltered: false };
    }
  }
  const all = await run(args, signal);
  if (!isAnswer(all)) throw badOptions(args.join(" "), firstLine(all));
  return { text: all.stdout, isFiltered: false };
}

/** Answers in English, lines that are not cut, and nothing of what the daemon's environment may ask of ps. */
const PS_ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

function run(args: readonly string[], signal: AbortSignal): Promise<CommandResult> {
  return runCommand("ps", args, { signal, env: PS_ENVIRONMENT, maxOutputBytes: PS_OUTPUT_BYTES });
}

/** Its exit code is 1 also where nothing was found. */
function isAnswer({ exitCode, stdout, stderr }: CommandResult): boolean {
  return exitCode === 0 || (stdout !== "" && stderr === "");
}

function firstLine({ stderr }: CommandResult): string {
  return stderr.trim().split("\n")[0] ?? "";
}

/** `pids`: those whose lines are wanted; undefined: every line is. */
function parseTable(text: string, pids: ReadonlySet<string> | undefined, options: string): ProcessTable {
  const [head = "", ...lines] = text.split("\n").filter((line) => line.trim() !== "");
  const titles = head.trim().split(/\s+/);
  const pidAt = titles.indexOf("PID");
  if (pidAt < 0) throw badOptions(options, "its output has no PID column");
  const rows = lines.map((line) => cut(line, titles.length));
  return { titles, processes: pids === undefined ? rows : ofThese(rows, pidAt, pids) };
}

/** The last column (the command) may hold blanks. */
function cut(line: string, columns: number): string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(" ")];
}

/** With `-m` a process's threads follow it, with a dash for their pid. */
function ofThese(rows: readonly string[][], pidAt: number, pids: ReadonlySet<string>): string[][] {
  let isWanted = false;
  return rows.filter((fields) => {
    const pid = fields[pidAt] ?? "";
    if (pid !== "-") isWanted = pids.has(pid);
    return isWanted;
  });
}

function badOptions(options: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "PS_OPTIONS_INVALID",
    what: `list processes with ps ${options}`,
    why,
    fix: "use options of the host's ps that show the PID column, such as -o pid,comm",
  });
}
