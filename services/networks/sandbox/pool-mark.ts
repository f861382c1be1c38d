import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { tryLockFile } from "../host/lock.ts";
import { newSandboxId } from "./sandbox.ts";

/** Four hexadecimal digits in which the names of a pool's sandboxes end, and the lock that says that the pool lives. */
export interface PoolMark extends AsyncDisposable {
  readonly mark: string;
}

/** A mark that nobody on this host has, for as long as this process lives. `directory` holds the locks. */
export async function takePoolMark(directory: string): Promise<PoolMark> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (;;) {
    const id = newSandboxId();
    const mark = markOf(id);
    if ((await lockFiles(directory)).has(mark)) continue;
    const path = join(directory, id);
    const file = await tryLockFile(path, "a");
    if (file === undefined) continue;
    // another process may have found it unlocked before we had the lock, and deleted it
    const isThere = (await stat(path).catch(() => undefined))?.ino === (await file.stat()).ino;
    if (!isThere) {
      await file.close();
      continue;
    }
    const release = async () => {
      await rm(path, { force: true });
      await file.close();
    };
    return { mark, [Symbol.asyncDispose]: release };
  }
}

/** The mark of the pool that made a sandbox. */
export function markOf(sandboxId: string): string {
  return sandboxId.slice(-4);
}

/** Marks whose pools live. The locks of those that died are cleared away. */
export async function livingMarks(directory: string): Promise<Set<string>> {
  const living = new Set<string>();
  for (const [mark, path] of await lockFiles(directory)) {
    try {
      await using lock = await tryLockFile(path, "r");
      if (lock === undefined) living.add(mark);
      else await rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
  }
  return living;
}

async function lockFiles(directory: string): Promise<Map<string, string>> {
  const names = await readdir(directory).catch(() => []);
  return new Map(names.map((name) => [markOf(name), join(directory, name)]));
}
