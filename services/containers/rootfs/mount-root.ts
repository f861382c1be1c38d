import { mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { MountRequest } from "../../kit/linux/mount.ts";

/** A root as the thread that mounts it makes it, with the directories that it needs, in one call. */
export interface RootMount {
  readonly directories: readonly NewDirectory[];
  /** The mark that a volatile mount leaves which did not end well, and for which the next one is refused. */
  readonly volatileMark: string;
  readonly mount: MountRequest;
}

export interface NewDirectory {
  readonly path: string;
  readonly mode: number;
}

/**
 * Runs in the host's thread, where what waits for the disk keeps nobody else waiting: nine calls of 5 µs, each of which
 * would take 100 by way of libuv's pool. Idempotent: what is mounted stays. Throws SyscallError.
 */
export function mountRoot(request: RootMount, mount: (request: MountRequest) => void): void {
  if (isOtherDevice(request.mount.target)) return;
  makeRootDirectories(request);
  mount(request.mount);
}

/** What a mount of the root needs to be there. Idempotent. */
export function makeRootDirectories({ directories, volatileMark }: Omit<RootMount, "mount">): void {
  for (const { path, mode } of directories) mkdirSync(path, { recursive: true, mode });
  rmSync(volatileMark, { recursive: true, force: true });
}

function isOtherDevice(path: string): boolean {
  const own = statSync(path, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== statSync(dirname(path)).dev;
}
