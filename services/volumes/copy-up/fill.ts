import { randomBytes } from "node:crypto";
import { constants, fstatSync, readdirSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deadline } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import { attribute } from "../../kit/telemetry/attributes.ts";
import { inSpan } from "../../kit/telemetry/trace.ts";
import { isPlain } from "../attachment.ts";
import { lockContent } from "../content/lock.ts";
import { deleteTree } from "../delete-tree.ts";
import type { Deps } from "../deps.ts";
import { driverNamed } from "../drivers/driver.ts";
import { errnoOf, hasErrno } from "../errno.ts";
import { clearStaged, markStaged, volumeNamed } from "../store.ts";
import type { Owner, Volume } from "../volume.ts";
import { below, copyAttributes } from "./copy-tree.ts";
import { isFillable, isStagingName, stagingName } from "./fillable.ts";
import { type TreeWork, workInSlices, workInThread } from "./tree-work.ts";

const CLEANUP_TIMEOUT_MS = 10_000;

/** The content of an empty volume to be. */
export interface Filling {
  /** An open directory. */
  readonly source: number;
  /** Whom the copy belongs to; undefined: whom the original does. */
  readonly owner: Owner | undefined;
}

/**
 * Fills an empty volume from an open directory. The copy is made beside the content and then moved in, its name in the
 * volume's row meanwhile: a crash before that leaves the volume empty, a crash after it is gone on with. Content that is
 * there is never changed. True: this call filled it.
 * Throws RESOURCE_EXHAUSTED VOLUME_FULL, FAILED_PRECONDITION COPY_UP_FAILED and COPY_TOO_DEEP.
 */
export async function fill(volume: Volume, filling: Filling, deps: Deps, signal: AbortSignal): Promise<boolean> {
  return inSpan("volume.fill", { attributes: { [attribute.volumeName]: volume.name } }, async () => {
    try {
      // the VOLUME of most images is an empty directory: no copy, so no lock
      if (isPlain(volume) && volume.staged === undefined && isEmpty(filling.source))
        return await takeAttributes(volume, filling, deps);
      return await fillAlone(volume, filling, deps, signal);
    } catch (error) {
      throw fillingFailed(volume, error);
    }
  });
}

async function takeAttributes(volume: Volume, { source, owner }: Filling, { drivers, calls }: Deps): Promise<boolean> {
  const mountpoint = driverNamed(drivers, volume.driver).mountpoint(volume);
  if (!(await isFillable(mountpoint))) return false;
  copyAttributes(below(source, "."), Buffer.from(mountpoint), fstatSync(source, { bigint: true }), {
    calls,
    owner,
  });
  return true;
}

async function fillAlone(volume: Volume, filling: Filling, deps: Deps, signal: AbortSignal): Promise<boolean> {
  await using lock = await lockContent(deps.db, volume.id, signal);
  const current = await volumeNamed(deps.db, deps.node, volume.name);
  if (current?.staged !== undefined) {
    await moveIn(volume, current.staged, deps, lock.signal);
    return false;
  }
  const driver = driverNamed(deps.drivers, volume.driver);
  if (!(await isFillable(driver.mountpoint(volume)))) return false;
  await dropLeftovers(volume, deps, lock.signal);
  const name = stagingName(randomBytes(8).toString("hex"));
  const path = driver.stagingDirectory(volume, name);
  await using leftovers = new AsyncDisposableStack();
  leftovers.defer(() => deleteTree(path, deadline(CLEANUP_TIMEOUT_MS, "delete a copy")));
  await stage(volume, filling, path, deps, lock.signal);
  if (!(await isFillable(driver.mountpoint(volume)))) return false; // a container wrote into it meanwhile
  leftovers.move(); // whatever comes of the commit: upkeep deletes a copy that no row names
  if (!(await markStaged(deps.db, volume.id, name))) return false; // the volume is gone
  await moveIn(volume, name, deps, lock.signal);
  return true;
}

/** Copies that ended with their process. Only for who holds the lock, and knows that none is being moved in. */
export async function dropLeftovers(volume: Volume, { drivers }: Deps, signal: AbortSignal): Promise<void> {
  const directory = dirname(driverNamed(drivers, volume.driver).stagingDirectory(volume, "copy"));
  for (const name of await readdir(directory)) {
    if (isStagingName(name)) await deleteTree(join(directory, name), signal);
  }
}

/** A complete copy, on the disk: what a row says is complete must be so after a power cut too. */
async function stage(volume: Volume, filling: Filling, path: string, deps: Deps, signal: AbortSignal): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await using destination = await openDirectory(path);
  await perform({ kind: "copy", ...filling, destination: destination.fd }, volume, deps, signal);
  await deps.calls.syncFilesystem(destination.fd);
}

/** Moves a complete copy in. Done again, by whoever holds the lock, it goes on where it ended. */
export async function moveIn(volume: Volume, staged: string, deps: Deps, signal: AbortSignal): Promise<void> {
  const driver = driverNamed(deps.drivers, volume.driver);
  const path = driver.stagingDirectory(volume, staged);
  const source = await openDirectory(path).catch(unlessMissing);
  if (source !== undefined) {
    await using _source = source;
    await using destination = await openDirectory(driver.mountpoint(volume));
    await perform({ kind: "move", source: source.fd, destination: destination.fd }, volume, deps, signal);
    await rmdir(path).catch(() => deleteTree(path, signal)); // what lost against what was there
  }
  await clearStaged(deps.db, volume.id);
}

async function perform(work: TreeWork, volume: Volume, { calls }: Deps, signal: AbortSignal): Promise<void> {
  if (isPlain(volume)) await workInSlices(work, calls, signal);
  else await workInThread(work, signal);
}

function isEmpty(directory: number): boolean {
  return readdirSync(below(directory, "."), { encoding: "buffer" }).length === 0;
}

async function openDirectory(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function unlessMissing(error: unknown): undefined {
  if (!hasErrno(error, "ENOENT")) throw error;
}

function fillingFailed({ name }: Volume, cause: unknown): unknown {
  const errno = errnoOf(cause);
  if (errno === "") return cause;
  const what = `fill the volume "${name}" from the image`;
  if (errno === "ENOSPC" || errno === "EDQUOT") {
    return new CtlError("RESOURCE_EXHAUSTED", {
      reason: "VOLUME_FULL",
      what,
      why: "there is no space left for it",
      fix: "make space (ctl system prune), or mount the volume with nocopy",
      cause,
    });
  }
  return new CtlError("FAILED_PRECONDITION", {
    reason: "COPY_UP_FAILED",
    what,
    why: cause instanceof Error ? cause.message : errno,
    fix: "mount the volume with nocopy to go without the image's content",
    cause,
  });
}
