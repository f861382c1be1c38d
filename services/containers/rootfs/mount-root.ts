import { chownSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { MountRequest } from "../../kit/linux/mount.ts";
import { mountShifted } from "./shifted-layers.ts";

/** A root as the thread that mounts it makes it, with the directories that it needs, in one call. */
export interface RootMount {
  readonly directories: readonly NewDirectory[];
  /** The mark that a volatile mount leaves which did not end well, and for which the next one is refused. */
  readonly volatileMark: string;
  readonly mount: MountRequest;
  /** The layers with their owners shifted, in place of those that `mount` names. */
  readonly shift?: ShiftedRoot;
}

export interface ShiftedRoot {
  readonly layers: readonly string[];
  readonly usernsFd: number;
  readonly place: string;
  /** Of the overlay, without its lower directories. */
  readonly options: string;
}

export interface NewDirectory {
  readonly path: string;
  readonly mode: number;
  /** Whom it belongs to until somebody has given it to another; undefined: root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Runs in the host's thread, where what waits for the disk keeps nobody else waiting: nine calls of 5 µs, each of which
 * would take 100 by way of libuv's pool. Idempotent: what is mounted stays. Throws SyscallError.
 */
export function mountRoot(request: RootMount, mount: (request: MountRequest) => void): void {
  if (isOtherDevice(request.mount.target)) return;
  makeRootDirectories(request);
  if (request.shift === undefined) mount(request.mount);
  else mountAbove(request.shift, request.mount, mount);
}

function mountAbove(
  { layers, usernsFd, place, options }: ShiftedRoot,
  root: MountRequest,
  mount: (request: MountRequest) => void,
): void {
  using shifted = mountShifted(layers, usernsFd, place);
  mount({ ...root, options: `lowerdir=${shifted.paths.toReversed().join(":")},${options}` });
}

/** What a mount of the root needs to be there. Idempotent. */
export function makeRootDirectories({ directories, volatileMark }: Omit<RootMount, "mount" | "shift">): void {
  for (const { path, mode, owner } of directories) {
    mkdirSync(path, { recursive: true, mode });
    if (owner !== undefined && statSync(path).uid === 0) chownSync(path, owner.uid, owner.gid);
  }
  rmSync(volatileMark, { recursive: true, force: true });
}

function isOtherDevice(path: string): boolean {
  const own = statSync(path, { throwIfNoEntry: false });
  return own !== undefined && own.dev !== statSync(dirname(path)).dev;
}
