import { constants, createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { sleep } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { type Generation, listGenerations } from "./generations.ts";

/** conmon's ctl FIFO takes `TYPE A B`; 2 is "reopen the log". */
const REOPEN = "2 0 0\n";
const REOPEN_DEADLINE_MS = 2_000;
const LOOK_MS = 5;

export interface RotationRequest {
  readonly logPath: string;
  /** Where conmon has its `ctl` FIFO. */
  readonly bundlePath: string;
  readonly policy: LogPolicy;
  /** How long a file must have been left before it is compressed. */
  readonly settledMs?: number;
}

export interface LogPolicy {
  readonly maxBytes: number;
  /** With the current one. */
  readonly maxFiles: number;
  readonly compress: boolean;
}

/**
 * Begins a new generation when the current one has grown over its cap; what is too old goes, what is old is compressed.
 * Loses no byte: conmon goes on in the renamed file until it has made the new one. `changed` is false below the cap and
 * for a container that does not run. Idempotent after a crash at any point.
 * Throws UNAVAILABLE MONITOR_FROZEN when conmon does not begin the new file.
 */
export async function rotateLog(request: RotationRequest, signal: AbortSignal): Promise<{ changed: boolean }> {
  const { logPath, bundlePath, policy, settledMs = 0 } = request;
  const current = await stat(logPath).catch(() => undefined);
  if (current !== undefined && current.size < policy.maxBytes) return { changed: false };
  const ctl = await openCtl(bundlePath);
  if (ctl === undefined) return { changed: false };
  await using _ = ctl;
  // without a current file an earlier rotation was cut off behind its rename
  if (current !== undefined) await rename(logPath, `${logPath}.${await nextNumber(logPath)}`);
  if (await askForNewFile(ctl)) await waitForFile(request, signal);
  await tidyGenerations(logPath, policy, settledMs);
  return { changed: true };
}

/**
 * Deletes and compresses what a policy says; also after a rotation that was cut off. False: something is still to be
 * compressed, once it has been left for `settledMs`.
 */
export async function tidyGenerations(logPath: string, policy: LogPolicy, settledMs: number): Promise<boolean> {
  const rotated = (await listGenerations(logPath)).filter(({ kind }) => kind !== "current");
  const kept = Math.max(0, policy.maxFiles - 1);
  const old = rotated.slice(0, Math.max(0, rotated.length - kept));
  for (const { number } of old) await removeGeneration(logPath, number);
  const plain = policy.compress ? rotated.slice(old.length).filter(({ kind }) => kind === "rotated") : [];
  const ages = await Promise.all(plain.map(async ({ path }) => Date.now() - (await stat(path)).mtimeMs));
  const settled = plain.filter((_, index) => (ages[index] ?? 0) >= settledMs);
  for (const generation of settled) await compress(generation);
  return settled.length === plain.length;
}

/** Everything a log consists of. */
export async function removeLog(logPath: string): Promise<void> {
  for (const { number } of await listGenerations(logPath)) await removeGeneration(logPath, number);
  await rm(logPath, { force: true });
}

/** What a log takes on disk, over all generations. */
export async function logSizeBytes(logPath: string): Promise<number> {
  const sizes = (await listGenerations(logPath)).map(
    async ({ path }) => (await stat(path).catch(() => undefined))?.size,
  );
  return (await Promise.all(sizes)).reduce<number>((sum, size) => sum + (size ?? 0), 0);
}

async function nextNumber(logPath: string): Promise<number> {
  const generations = await listGenerations(logPath);
  return generations.at(-1)?.number ?? 1;
}

/** Undefined: nobody reads the FIFO, so no conmon is there. */
async function openCtl(bundlePath: string): Promise<FileHandle | undefined> {
  return open(join(bundlePath, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENXIO" || error.code === "ENOENT") return undefined;
      throw error;
    },
  );
}

/** False: conmon has just ended, so the renamed file is the last one of its run. */
async function askForNewFile(ctl: FileHandle): Promise<boolean> {
  try {
    await ctl.write(REOPEN);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EPIPE") return false;
    throw error;
  }
}

async function waitForFile({ logPath, bundlePath }: RotationRequest, signal: AbortSignal): Promise<void> {
  const giveUpAt = performance.now() + REOPEN_DEADLINE_MS;
  while ((await stat(logPath).catch(() => undefined)) === undefined) {
    const ctl = await openCtl(bundlePath);
    if (ctl === undefined) return;
    await ctl.close();
    if (performance.now() > giveUpAt) {
      throw new CtlError("UNAVAILABLE", {
        reason: "MONITOR_FROZEN",
        what: "rotate a container's log",
        why: `its monitor (conmon) did not begin a new file within ${REOPEN_DEADLINE_MS} ms`,
        fix: "look whether conmon is stopped (ps -o stat); the log goes on in the old file",
      });
    }
    await sleep(LOOK_MS, signal);
  }
}

async function compress({ path }: Generation): Promise<void> {
  const { atime, mtime } = await stat(path);
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary, { mode: 0o600 }));
  // its age stays that of its last line, for `--since`
  await utimes(temporary, atime, mtime);
  await rename(temporary, `${path}.gz`);
  await rm(path, { force: true });
}

async function removeGeneration(logPath: string, number: number): Promise<void> {
  const path = `${logPath}.${number}`;
  await Promise.all([path, `${path}.gz`, `${path}.tmp`].map((one) => rm(one, { force: true })));
}
