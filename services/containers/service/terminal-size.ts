import { CtlError } from "../../kit/errors.ts";
import type { TerminalSize } from "../../kit/linux/pty.ts";

const MOST_CELLS = 65_535;

export function isSize({ rows, columns }: TerminalSize): boolean {
  return [rows, columns].every((cells) => cells >= 0 && cells <= MOST_CELLS);
}

/** Throws INVALID_ARGUMENT TERMINAL_SIZE_INVALID. */
export function parseSize(size: TerminalSize | undefined): TerminalSize {
  if (size !== undefined && isSize(size)) return size;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "TERMINAL_SIZE_INVALID",
    what: "change a terminal's size",
    why: `rows and columns are numbers from 0 to ${MOST_CELLS}`,
  });
}
