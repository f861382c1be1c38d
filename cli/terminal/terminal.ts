import { CtlError } from "../../services/kit/errors.ts";
import type { Session } from "../attach/session.ts";

/** Throws INPUT_NOT_TERMINAL: a terminal in the container needs one here. */
export async function requireTerminal(what: string): Promise<void> {
  const { isatty } = await import("node:tty");
  if (isatty(0)) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "INPUT_NOT_TERMINAL",
    what,
    why: "the input device is not a TTY",
    fix: "leave -t out where input comes from a file or a pipe",
  });
}

export function terminalSize(): { rows: number; columns: number } {
  const { rows = 24, columns = 80 } = process.stdout;
  return { rows, columns };
}

/** Our terminal as the process's own: every key goes to it, and it hears of every change of size. Dispose it. */
export function lendTerminal(session: Session): Disposable {
  const resize = () => void session.send({ $case: "resize", value: terminalSize() });
  resize();
  process.on("SIGWINCH", resize);
  process.stdin.setRawMode(true);
  return {
    [Symbol.dispose]() {
      process.off("SIGWINCH", resize);
      process.stdin.setRawMode(false);
    },
  };
}
