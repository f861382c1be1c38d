import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ingestDirectory } from "./blob-path.ts";
import { lockTemporary } from "./temporary-lock.ts";

/** Removes what writers that died left in the store's ingest directory. Answers how many. Idempotent. */
export async function sweepIngests(root: string, minimumAgeMs = 60_000): Promise<number> {
  return await sweepTemporaries(ingestDirectory(root), () => true, minimumAgeMs);
}

/**
 * Removes temporaries (files or whole trees) in a directory that nobody has locked. `minimumAgeMs` covers the moment
 * between making a temporary and locking it.
 */
export async function sweepTemporaries(
  directory: string,
  isTemporary: (name: string) => boolean,
  minimumAgeMs: number,
): Promise<number> {
  let swept = 0;
  for (const name of await readdir(directory).catch(() => [])) {
    if (isTemporary(name) && (await removeUnlocked(join(directory, name), minimumAgeMs))) swept++;
  }
  return swept;
}

async function removeUnlocked(path: string, minimumAgeMs: number): Promise<boolean> {
  const handle = await open(path, "r").catch(() => undefined);
  if (handle === undefined) return false; // its writer was faster
  await using file = handle;
  const { ctimeMs } = await file.stat();
  // Date.now() has no fraction: without this, what was made in this very millisecond is from the future
  if (Date.now() - Math.floor(ctimeMs) < minimumAgeMs || !lockTemporary(file.fd)) return false;
  await rm(path, { recursive: true, force: true });
  return true;
}
