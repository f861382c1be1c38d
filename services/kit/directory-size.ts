import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

const BLOCK_BYTES = 512;

/**
 * What a directory takes on disk: blocks, each inode once. For a writable layer (`ps --size`) or a volume; it walks, so
 * never on a hot path. Files that vanish meanwhile count nothing.
 */
export async function directorySizeBytes(path: string, signal: AbortSignal): Promise<number> {
  const seen = new Set<string>();
  let blocks = 0;
  const pending = [path];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    signal.throwIfAborted();
    for (const child of await childrenOf(directory)) {
      const stats = await lstat(child, { bigint: true }).catch(() => undefined);
      if (stats === undefined) continue;
      if (stats.isDirectory()) pending.push(child);
      const inode = `${stats.dev}:${stats.ino}`;
      if (stats.nlink > 1n && seen.has(inode)) continue;
      if (stats.nlink > 1n) seen.add(inode);
      blocks += Number(stats.blocks);
    }
  }
  return blocks * BLOCK_BYTES;
}

async function childrenOf(directory: string): Promise<string[]> {
  try {
    const names: string[] = [];
    for await (const entry of await opendir(directory)) names.push(join(directory, entry.name));
    return names;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
