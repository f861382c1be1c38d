import { posix } from "node:path";
import type { Database } from "../kit/database.ts";
import type { BytePath } from "../kit/tar/entry.ts";
import { containerView, hasProcess } from "./archive/choose-view.ts";
import { refusedPath } from "./archive/errors.ts";
import type { Part, PathStat, Task } from "./archive/jobs.ts";
import type { ArchiveThreads } from "./archive/threads.ts";
import { recordContainerEvent } from "./events.ts";
import { findContainer } from "./find.ts";
import type { ContainerHost } from "./host/host.ts";
import type { Serial } from "./run/serial.ts";
import type { ImageDefaults } from "./spec/spec.ts";
import type { ContainerRow } from "./store/containers.ts";

export interface CopyDeps {
  readonly db: Database;
  readonly host: ContainerHost;
  readonly serial: Serial;
  readonly archives: ArchiveThreads;
  readonly imageDefaults: (imageConfig: Buffer) => ImageDefaults;
}

/**
 * What is at a path as the container sees it.
 * Throws NOT_FOUND CONTAINER_PATH_NOT_FOUND; INVALID_ARGUMENT CONTAINER_PATH_REFUSED.
 */
export async function statPath(ref: string, path: string, deps: CopyDeps, signal: AbortSignal): Promise<PathStat> {
  const row = await findContainer(deps.db, ref);
  for await (const part of look(row, { kind: "stat", path: inRoot(path) }, deps, signal)) {
    if (part.kind === "stat") return part.stat;
  }
  throw refusedPath(inRoot(path), "nothing is known of it");
}

/** That path and all below it as a tar whose names begin with the path's last one; its stat comes first. Throws the same. */
export async function* readArchive(
  ref: string,
  { path, followLink }: { readonly path: string; readonly followLink: boolean },
  deps: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<Part, void, undefined> {
  const row = await findContainer(deps.db, ref);
  await recordContainerEvent(deps.db, "archive-path", row);
  yield* look(row, { kind: "read", path: inRoot(path), followLink }, deps, signal);
}

export interface WriteWish {
  /** A directory in the container. */
  readonly path: string;
  readonly keepsKinds: boolean;
  /** What is made belongs to the container's user, where it has one; else to whom the archive says. */
  readonly ownedByUser: boolean;
}

/**
 * Unpacks a tar (plain, gzip, zstd) below a directory. Into a container that does not run nothing else is done meanwhile.
 * Throws INVALID_ARGUMENT ARCHIVE_CORRUPT and CONTAINER_PATH_REFUSED; NOT_FOUND CONTAINER_PATH_NOT_FOUND;
 * PERMISSION_DENIED CONTAINER_PATH_READ_ONLY. What was unpacked until then stays.
 */
export async function writeArchive(
  ref: string,
  wish: WriteWish,
  chunks: AsyncIterable<Uint8Array>,
  deps: CopyDeps,
  signal: AbortSignal,
): Promise<void> {
  const { id } = await findContainer(deps.db, ref);
  const write = async (row: ContainerRow): Promise<void> => {
    const user = wish.ownedByUser ? row.spec.user || deps.imageDefaults(row.image_config).user : "";
    const task: Task = { kind: "write", path: inRoot(wish.path), keepsKinds: wish.keepsKinds, user };
    const view = await containerView(row, deps.host, "written");
    for await (const _ of deps.archives.run({ view, task, userMapping: row.spec.userMapping }, chunks, signal));
  };
  const row = await findContainer(deps.db, id);
  // the writable layer must have one mount at a time: a start waits
  if (await hasProcess(row)) await write(row);
  else await deps.serial.run(id, async () => write(await findContainer(deps.db, id)), signal);
  await recordContainerEvent(deps.db, "extract-to-dir", row);
}

async function* look(
  row: ContainerRow,
  task: Task,
  { host, archives }: CopyDeps,
  signal: AbortSignal,
): AsyncGenerator<Part, void, undefined> {
  const view = await containerView(row, host, "shown");
  yield* archives.run({ view, task, userMapping: row.spec.userMapping }, undefined, signal);
}

/**
 * A path as text first, as Docker takes it: `..` never climbs out, and what it means is not asked of symlinks. A `/` or `/.`
 * at its end stays, since it says that a directory is meant.
 */
export function inRoot(path: string): BytePath {
  if (path.includes("\0")) throw refusedPath(path, "it has a NUL byte");
  const clean = posix.normalize(`/${path}`).replace(/^\/+/, "").replace(/\/+$/, "");
  const ending = /(^|\/)\.$/.test(path) ? "/." : path.endsWith("/") ? "/" : "";
  const whole = clean === "" ? ending.replace(/^\//, "") : `${clean}${ending}`;
  return Buffer.from(whole, "utf8").toString("latin1");
}
