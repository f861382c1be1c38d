import { chown, mkdir, stat } from "node:fs/promises";
import { raceSignal, within } from "../../kit/deadlines.ts";
import { CtlError } from "../../kit/errors.ts";
import type { HostOwner } from "../drivers/local/directories.ts";
import { errnoOf, hasErrno } from "../errno.ts";
import type { BindMount } from "./mount.ts";

/** A host path may lie on a network file system whose server is gone. */
const HOST_TIMEOUT_MS = 10_000;

export interface ReadySource {
  /** It was missing and is a new, empty directory now. */
  readonly isNew: boolean;
}

/**
 * Makes sure that there is something to bind. Idempotent; never undone: what is put there meanwhile is its owner's.
 * Throws INVALID_ARGUMENT BIND_SOURCE_MISSING, BIND_SOURCE_REFUSED.
 */
export async function readySource(
  mount: BindMount,
  newOwner: HostOwner | undefined,
  signal: AbortSignal,
): Promise<ReadySource> {
  const what = `mount ${mount.source} of the host at ${mount.target}`;
  const patience = within(signal, HOST_TIMEOUT_MS, `look at ${mount.source}`);
  try {
    await raceSignal(stat(mount.source), patience, what);
    return { isNew: false };
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw sourceRefused(error, what);
    if (!mount.createSource) throw sourceMissing(mount.source, what);
  }
  try {
    const made = await raceSignal(mkdir(mount.source, { recursive: true, mode: 0o755 }), patience, what);
    if (made !== undefined && newOwner !== undefined) {
      await raceSignal(chown(mount.source, newOwner.uid, newOwner.gid), patience, what);
    }
    return { isNew: true };
  } catch (error) {
    throw sourceRefused(error, what);
  }
}

function sourceMissing(source: string, what: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "BIND_SOURCE_MISSING",
    what,
    why: "bind source path does not exist",
    fix: `make it (mkdir -p ${source}), or use -v, which does`,
  });
}

function sourceRefused(error: unknown, what: string): unknown {
  if (error instanceof CtlError || errnoOf(error) === "") return error;
  return new CtlError("INVALID_ARGUMENT", {
    reason: "BIND_SOURCE_REFUSED",
    what,
    why: `the host says ${errnoOf(error)}`,
    fix: "look at that path on the host",
    cause: error,
  });
}
