import { type FileHandle, open, readFile } from "node:fs/promises";
import type { LogPosition } from "../record.ts";

/** How far a container's log was sent on. */
export interface ShippedPlace {
  readonly position: LogPosition;
  /** The newest run that was sent to its end; 0: none. */
  readonly endedRun: number;
}

/** Beside the log. A record has always the same length, so that one write replaces it. */
export function placePath(logPath: string): string {
  return `${logPath}.sent`;
}

/** Undefined: nothing was sent yet. */
export async function readPlace(logPath: string): Promise<ShippedPlace | undefined> {
  const text = await readFile(placePath(logPath), "utf8").catch(() => "");
  const match = /^(\d{12}) (\d{16}) (\d{12})\n$/.exec(text);
  if (match === null) return undefined;
  const [generation = 0, offset = 0, endedRun = 0] = match.slice(1).map(Number);
  return { position: { generation, offset }, endedRun };
}

/**
 * Remembers how far it came, with one small write for each batch. Not synced: after a power cut the lines since the last
 * write-back are sent again.
 */
export class PlaceFile implements AsyncDisposable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(logPath: string): Promise<PlaceFile> {
    const file = await open(placePath(logPath), "r+", 0o600).catch(() => open(placePath(logPath), "w+", 0o600));
    return new PlaceFile(file);
  }

  async write({ position: { generation, offset }, endedRun }: ShippedPlace): Promise<void> {
    const text = `${padded(generation, 12)} ${padded(offset, 16)} ${padded(endedRun, 12)}\n`;
    await this.#file.write(text, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}
