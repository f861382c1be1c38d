import { spawnSync } from "node:child_process";
import type { TerminalSize } from "#proto/ctl/containers/v1/spec.ts";
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

/**
 * Our terminal while a process in a container has it. Its size is followed from the beginning: what changes between a look
 * and a listener would be missed. Dispose it: it is then as it was before.
 */
export class OwnTerminal implements Disposable {
  #settings: string | undefined;
  #session: Session | undefined;
  readonly #onResize = () => this.#tell();

  constructor() {
    process.stdout.on("resize", this.#onResize);
  }

  /** Undefined: our output is no terminal. */
  get size(): TerminalSize | undefined {
    const { rows, columns } = process.stdout;
    return rows === undefined || columns === undefined ? undefined : { rows, columns };
  }

  /** From now on every key goes to the process as it is, and what it writes is shown as it is. */
  makeRaw(): void {
    if (this.#settings !== undefined) return;
    this.#settings = stty("-g");
    // Node's and Bun's setRawMode leave the output's line ends to our terminal; the container's has made them already
    stty("raw", "-echo");
  }

  /** The process's terminal has our terminal's size from now on. */
  tellSizeTo(session: Session): void {
    this.#session = session;
    this.#tell();
  }

  [Symbol.dispose](): void {
    process.stdout.off("resize", this.#onResize);
    if (this.#settings !== undefined) stty(this.#settings);
    this.#settings = undefined;
  }

  #tell(): void {
    const { size } = this;
    if (size !== undefined) void this.#session?.send({ $case: "resize", value: size });
  }
}

function stty(...args: string[]): string {
  const { stdout } = spawnSync("stty", args, { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  return stdout.trim();
}
