import { createReadStream } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createGunzip } from "node:zlib";

/**
 * A log's files. conmon writes the current one; rotation gives it the next number and conmon begins anew:
 * `container.log`, before it `container.log.2`, before that `container.log.1.gz`. The current one's number is one more
 * than the highest, so no state beside the files is needed.
 */
export interface Generation {
  readonly number: number;
  readonly path: string;
  readonly kind: "current" | "rotated" | "compressed";
}

/** Oldest first; the current one is missing between a rename and conmon's next file. */
export async function listGenerations(logPath: string): Promise<Generation[]> {
  const directory = dirname(logPath);
  const prefix = `${basename(logPath)}.`;
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const byNumber = new Map<number, Generation>();
  for (const name of names) {
    const match = name.startsWith(prefix) ? /^(\d+)(\.gz)?$/.exec(name.slice(prefix.length)) : null;
    if (match === null) continue;
    const number = Number(match[1]);
    const kind = match[2] === undefined ? "rotated" : "compressed";
    // while one is being compressed both are there; the plain one is whole
    if (kind === "rotated" || !byNumber.has(number))
      byNumber.set(number, { number, path: join(directory, name), kind });
  }
  const rotated = [...byNumber.values()].sort((a, b) => a.number - b.number);
  const current = (rotated.at(-1)?.number ?? 0) + 1;
  return names.includes(basename(logPath))
    ? [...rotated, { number: current, path: logPath, kind: "current" }]
    : rotated;
}

/** What one generation holds, from a byte on; ends where the file ends now. */
export interface GenerationReader extends AsyncDisposable {
  readonly number: number;
  /** The byte with which it began. */
  readonly start: number;
  /** The next piece; empty at the end, and again something once more was written (not for compressed ones). */
  read(): Promise<Buffer>;
}

const PIECE_BYTES = 64 * 1024;

/** Opens a generation by number; undefined when rotation has deleted it, or it does not exist yet. */
export async function openGeneration(
  logPath: string,
  number: number,
  offset: number,
): Promise<GenerationReader | undefined> {
  for (;;) {
    const found = (await listGenerations(logPath)).find((one) => one.number === number);
    if (found === undefined) return undefined;
    const reader = await openFound(logPath, found, offset);
    // renamed or compressed between the look and the opening: look again
    if (reader !== undefined) return reader;
  }
}

async function openFound(logPath: string, found: Generation, offset: number): Promise<GenerationReader | undefined> {
  const file = await open(found.path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  if (found.kind === "compressed") {
    await file.close();
    return compressedReader(found, offset);
  }
  if (found.kind === "current" && !(await isStillCurrent(logPath, file))) {
    await file.close();
    return undefined;
  }
  return plainReader(found.number, file, offset);
}

async function isStillCurrent(logPath: string, file: FileHandle): Promise<boolean> {
  const [ours, now] = await Promise.all([file.stat(), stat(logPath).catch(() => undefined)]);
  return now?.ino === ours.ino;
}

function plainReader(number: number, file: FileHandle, start: number): GenerationReader {
  let offset = start;
  return {
    number,
    start,
    read: async () => {
      const buffer = Buffer.allocUnsafe(PIECE_BYTES);
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, offset);
      offset += bytesRead;
      return buffer.subarray(0, bytesRead);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

function compressedReader({ number, path }: Generation, start: number): GenerationReader {
  const source = createReadStream(path);
  const plain = source.pipe(createGunzip());
  source.on("error", (error) => plain.destroy(error));
  const pieces: AsyncIterator<Buffer> = plain[Symbol.asyncIterator]();
  let toSkip = start;
  return {
    number,
    start,
    read: async () => {
      for (;;) {
        const { done, value } = await pieces.next();
        if (done === true) return Buffer.alloc(0);
        const piece = value.subarray(Math.min(toSkip, value.length));
        toSkip -= value.length - piece.length;
        if (piece.length > 0) return piece;
      }
    },
    [Symbol.asyncDispose]: async () => {
      source.destroy();
      plain.destroy();
    },
  };
}
