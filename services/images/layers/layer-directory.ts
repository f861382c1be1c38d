import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CtlError } from "../../kit/errors.ts";
import { sweepTemporaries } from "../blobs/sweep.ts";
import { lockTemporary } from "../blobs/temporary-lock.ts";

/** A layer's directory while it is filled: beside its place, locked, and gone with everything in it if not published. */
export interface UnfinishedDirectory extends AsyncDisposable {
  readonly path: string;
  /** Gives it its name. Throws ALREADY_EXISTS LAYER_DIRECTORY_EXISTS: names are given once. */
  publish(): Promise<void>;
}

const PREFIX = ".ingest-";

/** `directory` is where the layer will be; the directory above it is made where it is missing. */
export async function makeUnfinished(directory: string): Promise<UnfinishedDirectory> {
  const parent = dirname(directory);
  const path = join(parent, `${PREFIX}${randomBytes(9).toString("hex")}`);
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await mkdir(path);
  await chmod(path, 0o755); // what the container sees as / where no entry says otherwise; umask may have had a say
  const fd = openSync(path, "r");
  lockTemporary(fd);
  let isPublished = false;
  return {
    path,
    publish: async () => {
      await renameNew(path, directory);
      isPublished = true;
    },
    [Symbol.asyncDispose]: async () => {
      if (!isPublished) await removeLayerDirectory(path);
      closeSync(fd);
    },
  };
}

/** Removes a layer's directory with everything in it. Idempotent; a removal that a crash ended goes on the next time. */
export async function removeLayerDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Removes what extractions that died left among the layers in `root`. Answers how many. */
export async function sweepLayers(root: string, minimumAgeMs = 60_000): Promise<number> {
  return await sweepTemporaries(root, (name) => name.startsWith(PREFIX), minimumAgeMs);
}

/** rename(2) replaces an empty directory silently, and refuses one with something in it. */
async function renameNew(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw cause;
    throw new CtlError("ALREADY_EXISTS", {
      reason: "LAYER_DIRECTORY_EXISTS",
      what: "keep the layer",
      why: `its directory ${basename(to)} exists already`,
      fix: "try again: each attempt takes a new name",
      cause,
    });
  }
}
