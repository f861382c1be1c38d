import { constants } from "node:fs";
import { mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TerminalSize } from "../../kit/linux/pty.ts";

/** conmon's ctl FIFO takes `TYPE HEIGHT WIDTH`; 1 is a change of the terminal's size. */
const RESIZE = 1;

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

const KEPT_FILE = "terminal-size";

/** Leaves it in the bundle for the run that is to start there, whichever process of ours starts it. */
export async function keepSizeForStart(bundlePath: string, { rows, columns }: TerminalSize): Promise<void> {
  await mkdir(bundlePath, { recursive: true, mode: 0o711 });
  await writeFile(join(bundlePath, KEPT_FILE), `${rows} ${columns}\n`, { mode: 0o600 });
}

/** What was left, once. */
export async function takeKeptSize(bundlePath: string): Promise<TerminalSize | undefined> {
  const path = join(bundlePath, KEPT_FILE);
  const [, rows, columns] = /^(\d+) (\d+)\n$/.exec(await readFile(path, "utf8").catch(() => "")) ?? [];
  await rm(path, { force: true });
  return rows === undefined || columns === undefined ? undefined : { rows: Number(rows), columns: Number(columns) };
}
