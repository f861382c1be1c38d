import type { Database } from "../../kit/database.ts";
import type { TerminalSize } from "../../kit/linux/pty.ts";
import { type EventSubject, recordContainerEvent } from "../events.ts";
import { findContainer } from "../find.ts";
import { notRunning } from "../kill.ts";
import { isUp } from "../lifecycle.ts";
import { containerPaths } from "../paths.ts";
import { resizeTerminal } from "./terminal-size.ts";

/**
 * Gives a running container's terminal a size; one without a terminal has none to change. Throws NOT_FOUND
 * CONTAINER_NOT_FOUND; FAILED_PRECONDITION CONTAINER_NOT_RUNNING.
 */
export async function resizeContainer(
  reference: string,
  size: TerminalSize,
  { db, root }: { readonly db: Database; readonly root: string },
): Promise<void> {
  const row = await findContainer(db, reference);
  if (!isUp(row.state)) throw notRunning(row.name);
  if (!row.spec.tty) return;
  if (!(await resizeTerminal(containerPaths(root, row.id).bundle, size))) throw notRunning(row.name);
  await recordResize(db, row, size);
}

export function recordResize(db: Database, row: EventSubject, { rows, columns }: TerminalSize): Promise<void> {
  return recordContainerEvent(db, "resize", row, { height: String(rows), width: String(columns) });
}
