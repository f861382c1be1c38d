import { type BigIntStats, closeSync, fstatSync, readlinkSync } from "node:fs";
import { descriptorPath, type FileCalls } from "../linux/file-calls.ts";
import { isErrno } from "../linux/libc.ts";
import type { BytePath } from "../tar/entry.ts";
import { pathFailure, type Refusals } from "./refusals.ts";

/** A file tree, held open by its top. */
export interface OpenTree extends Disposable {
  readonly rootFd: number;
  /** What the kernel puts before the names of what lies in it: "" or the root's own place. */
  readonly prefix: BytePath;
  readonly refusals: Refusals;
}

/** @param fds the top's descriptor, and others that hold what the tree needs. */
export function heldTree(fds: readonly number[], refusals: Refusals): OpenTree {
  const [rootFd = -1] = fds;
  const place = readlinkSync(descriptorPath(rootFd), { encoding: "latin1" });
  return {
    rootFd,
    prefix: place === "/" ? "" : place,
    refusals,
    [Symbol.dispose]: () => {
      for (const fd of fds) closeSync(fd);
    },
  };
}

/** Something in a tree by the directory that really holds it, without a symlink on the way. */
export interface Found extends Disposable {
  /** O_PATH. */
  readonly fd: number;
  readonly stat: BigIntStats;
  /** From the tree's root, where it really is; "" is the root itself. */
  readonly path: BytePath;
}

/**
 * What is at a path in the tree. A `/` or `/.` at its end wants a directory and follows a symlink, as in the kernel.
 * Throws what the tree's refusals make.
 */
export function find(tree: OpenTree, path: BytePath, lastLink: "keep" | "follow", calls: FileCalls): Found {
  const fd = openInTree(tree, path, lastLink, calls);
  const place = readlinkSync(descriptorPath(fd), { encoding: "latin1" });
  return {
    fd,
    stat: fstatSync(fd, { bigint: true }),
    path: place.slice(tree.prefix.length).replace(/^\//, ""),
    [Symbol.dispose]: () => calls.close(fd),
  };
}

function openInTree(
  { rootFd, refusals }: OpenTree,
  path: BytePath,
  lastLink: "keep" | "follow",
  calls: FileCalls,
): number {
  try {
    return calls.openInRoot(rootFd, path, lastLink);
  } catch (error) {
    throw pathFailure(error, path, refusals);
  }
}

/** A name in an open directory, whatever it is; undefined: it is gone. */
export function openChild(
  { refusals }: OpenTree,
  directoryFd: number,
  name: BytePath,
  calls: FileCalls,
): number | undefined {
  try {
    return calls.openPath(directoryFd, name);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw pathFailure(error, name, refusals);
  }
}

/** The directory that holds what was found, and its name there. The root has none. */
export function holderOf(tree: OpenTree, found: Found, calls: FileCalls): { fd: number; name: BytePath } {
  const slash = found.path.lastIndexOf("/");
  if (found.path === "") throw tree.refusals.notFound("/");
  return {
    fd: openInTree(tree, slash < 0 ? "" : found.path.slice(0, slash), "keep", calls),
    name: found.path.slice(slash + 1),
  };
}
