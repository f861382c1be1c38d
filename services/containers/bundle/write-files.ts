import { chownSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A bundle's files as one message to the host's thread. */
export interface BundleFiles {
  readonly directory: string;
  readonly files: readonly BundleFile[];
  /** Names in the directory that an earlier run may have left and a new one must not find. */
  readonly stale: readonly string[];
}

export interface BundleFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Undefined: root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/** Runs in the host's thread: 0.2 ms, and 20 turns of libuv's pool less than file by file. */
export function writeBundleFiles({ directory, files, stale }: BundleFiles): void {
  const there = new Set(readdirSync(directory));
  for (const name of stale) if (there.has(name)) rmSync(join(directory, name), { force: true });
  for (const { path, text, mode, owner } of files) {
    writeFileSync(path, text, { mode });
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  }
}
