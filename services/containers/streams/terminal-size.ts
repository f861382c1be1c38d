import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";

/** conmon's ctl FIFO takes `TYPE HEIGHT WIDTH`; 1 is a change of the terminal's size. */
const RESIZE = 1;

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Tells conmon the size of the container's terminal; false when no conmon is there to hear it. */
export async function resizeTerminal(bundlePath: string, { rows, columns }: TerminalSize): Promise<boolean> {
  try {
    await using ctl = await open(join(bundlePath, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK);
    await ctl.write(`${RESIZE} ${rows} ${columns}\n`);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENXIO" || code === "ENOENT" || code === "EAGAIN") return false;
    throw error;
  }
}
