import { type CommandResult, runCommand } from "../command.ts";
import { deadline } from "../deadlines.ts";
import { CtlError } from "../errors.ts";
import { loadLibc } from "./libc.ts";
import { hasMountWithin } from "./mountinfo.ts";

/** nftw(3): symlinks themselves, nothing of another file system, what is in a directory before it. */
const FLAGS = { physical: 0x1, sameFileSystem: 0x2, depthFirst: 0x8 } as const;
const OPEN_DIRECTORIES = 16;
const SLOW_TIMEOUT_MS = 600_000;

export type RemoveTree = (path: string) => Promise<void>;

/**
 * Removes a directory with all that is in it, as one call of the C library on libuv's pool (nftw(3) whose visitor is
 * remove(3)): a third of the processor time of node:fs's `rm`, which is a call and a promise for each file (0.5 ms instead
 * of 1.5 for eleven files). What it refuses (a name longer than a path may be) is left to rm(1). Nobody else may be writing
 * in the tree. Idempotent. Throws FAILED_PRECONDITION TREE_BUSY: something is mounted in it, and what is there stays;
 * TREE_NOT_DELETED.
 */
export function bindRemoveTree(): RemoveTree {
  const libc = loadLibc();
  const remove = libc.symbol("remove", "void");
  const nftw = libc.func("int nftw(const char *, void *, int, int)");
  const flags = FLAGS.physical | FLAGS.sameFileSystem | FLAGS.depthFirst;
  return async (path) => {
    const walked = Promise.withResolvers<number>();
    nftw.async(path, remove, OPEN_DIRECTORIES, flags, (error: unknown, result: number) => {
      if (error) walked.reject(error);
      else walked.resolve(result);
    });
    if ((await walked.promise) === 0) return;
    if (await hasMountWithin(path)) throw treeBusy(path);
    await removeTreeSlowly(path, deadline(SLOW_TIMEOUT_MS, `delete ${path}`));
  };
}

/**
 * The same by rm(1), which works from descriptors: names of any bytes, and trees deeper than a path can be long.
 * Throws FAILED_PRECONDITION TREE_NOT_DELETED.
 */
export async function removeTreeSlowly(path: string, signal: AbortSignal): Promise<void> {
  const result = await runCommand("rm", ["-rf", "--one-file-system", "--", path], { signal });
  if (result.exitCode !== 0) throw notDeleted(path, result);
}

function treeBusy(path: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "TREE_BUSY",
    what: `delete ${path}`,
    why: "something is mounted in it",
    fix: `unmount it (findmnt --submounts ${path} shows what); the rest is deleted at the next look`,
  });
}

function notDeleted(path: string, { stderr }: CommandResult): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "TREE_NOT_DELETED",
    what: `delete ${path}`,
    why: stderr.trim().split("\n")[0] ?? "rm failed",
    fix: `delete it by hand (lsattr -R ${path} shows files that are immutable)`,
  });
}
