import { spawnSync } from "node:child_process";
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

/** Every key goes to the process as it is, and what it writes is shown as it is. Dispose it. */
export function makeRaw(): Disposable {
  const settings = stty("-g");
  // Node's and Bun's setRawMode leave the output's line ends to our terminal; the container's has made them already
  stty("raw", "-echo");
  return { [Symbol.dispose]: () => void stty(settings) };
}

/** The process's terminal has our terminal's size, also when that changes. Dispose it. */
export function followSize(session: Session): Disposable {
  const resize = () => void session.send({ $case: "resize", value: terminalSize() });
  resize();
  process.on("SIGWINCH", resize);
  return { [Symbol.dispose]: () => void process.off("SIGWINCH", resize) };
}

function stty(...args: string[]): string {
  const { stdout } = spawnSync("stty", args, { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  return stdout.trim();
}
