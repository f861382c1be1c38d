import { CtlError } from "../kit/errors.ts";
import { recordContainerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import { isUp } from "./lifecycle.ts";
import { parseSignal } from "./spec/signals.ts";
import { exitRecorded, openProcess, type StopDeps } from "./stop.ts";
import { markStoppedByUser } from "./store/containers.ts";

const SIGKILL = 9;

/**
 * Sends a signal to a container's first process; after KILL it answers when the exit is recorded. KILL is a person's stop:
 * no policy starts the container again. Throws FAILED_PRECONDITION CONTAINER_NOT_RUNNING; INVALID_ARGUMENT SIGNAL_INVALID.
 */
export async function killContainer(
  reference: string,
  signalName: string,
  deps: StopDeps,
  signal: AbortSignal,
): Promise<string> {
  const number = parseSignal(signalName || "KILL");
  const row = await findContainer(deps.db, reference);
  if (!isUp(row.state)) throw notRunning(row.name);
  if (number === SIGKILL) await markStoppedByUser(deps.db, row.id);
  if (row.state === "paused" && number === SIGKILL) await deps.resume(row);
  using handle = await openProcess(row, deps.pidfds);
  if (handle === undefined) throw notRunning(row.name);
  handle.signal(number);
  await recordContainerEvent(deps.db, "kill", row, { signal: String(number) });
  if (number === SIGKILL) await exitRecorded(row, deps, signal);
  return row.id;
}

export function notRunning(name: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_RUNNING",
    what: `reach container ${name}`,
    why: "it is not running",
    fix: `start it: ctl start ${name}`,
  });
}
