import type { Database } from "../../kit/database.ts";
import { CtlError } from "../../kit/errors.ts";
import type { Pidfds } from "../../kit/linux/pidfd.ts";
import { resizeTerminalOf, type TerminalSize } from "../../kit/linux/pty.ts";
import { parseSignal } from "../spec/signals.ts";
import type { ExecRow } from "../store/execs.ts";
import { isInCgroupOf } from "./detached.ts";
import { findExec } from "./find-exec.ts";

export interface RunningExecDeps {
  readonly db: Database;
  readonly pidfds: Pidfds;
}

/**
 * Sends a signal to an exec's first process, whichever process of ours has started it. An empty name is TERM. Throws
 * NOT_FOUND EXEC_NOT_FOUND; FAILED_PRECONDITION EXEC_NOT_RUNNING; INVALID_ARGUMENT SIGNAL_INVALID.
 */
export async function signalExec(reference: string, name: string, deps: RunningExecDeps): Promise<void> {
  const number = parseSignal(name === "" ? "TERM" : name);
  const row = await findExec(deps.db, reference);
  using handle = await processOf(row, deps);
  if (handle?.signal(number) !== true) throw notRunning(row.id);
}

/** Gives the terminal of an exec a size; one without a terminal has none to change. Throws as `signalExec` does. */
export async function resizeExec(reference: string, size: TerminalSize, deps: RunningExecDeps): Promise<void> {
  const row = await findExec(deps.db, reference);
  using handle = await processOf(row, deps);
  if (handle === undefined) throw notRunning(row.id);
  await resizeTerminalOf(row.pid, size);
}

/** Held by its descriptor first and looked at afterwards: the row's pid may be another process's by now. */
async function processOf(row: ExecRow, { pidfds }: RunningExecDeps) {
  if (row.state !== "running") return undefined;
  using owned = new DisposableStack();
  const handle = pidfds.open(row.pid);
  if (handle === undefined) return undefined;
  owned.use(handle);
  if (!(await isInCgroupOf(row.pid, row.container_id)) || handle.hasEnded()) return undefined;
  owned.move();
  return handle;
}

function notRunning(id: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "EXEC_NOT_RUNNING",
    what: `reach the process of exec ${id.slice(0, 12)}`,
    why: "it does not run",
    fix: "ctl execs ls shows what runs",
  });
}
