import { type BigIntStats, fstatSync, readlinkSync } from "node:fs";
import { descriptorPath, type FileCalls } from "../../kit/linux/file-calls.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import { pathFailure, pathNotFound } from "./errors.ts";
import type { PathStat } from "./jobs.ts";
import type { OpenView } from "./view.ts";

/** Something in a view by the directory that really holds it, without a symlink on the way. */
export interface Found extends Disposable {
  /** O_PATH. */
  readonly fd: number;
  readonly stat: BigIntStats;
  /** From the view's root, where it really is; "" is the root itself. */
  readonly path: BytePath;
}

/**
 * What is at a path in the view. A `/` or `/.` at its end wants a directory and follows a symlink, as in the kernel.
 * Throws NOT_FOUND CONTAINER_PATH_NOT_FOUND; INVALID_ARGUMENT CONTAINER_PATH_REFUSED.
 */
export function find(view: OpenView, path: BytePath, lastLink: "keep" | "follow", calls: FileCalls): Found {
  const fd = openInView(view, path, lastLink, calls);
  const place = readlinkSync(descriptorPath(fd), { encoding: "latin1" });
  return {
    fd,
    stat: fstatSync(fd, { bigint: true }),
    path: place.slice(view.prefix.length).replace(/^\//, ""),
    [Symbol.dispose]: () => calls.close(fd),
  };
}

function openInView({ rootFd }: OpenView, path: BytePath, lastLink: "keep" | "follow", calls: FileCalls): number {
  try {
    return calls.openInRoot(rootFd, path, lastLink);
  } catch (error) {
    throw pathFailure(error, path);
  }
}

/** Docker's stat of a path: of a symlink at its end the link itself, and where that leads. */
export function statPath(view: OpenView, path: BytePath, calls: FileCalls): PathStat {
  using found = find(view, path, "keep", calls);
  return pathStat(view, path, found, calls);
}

export function pathStat(view: OpenView, path: BytePath, { stat, fd, path: place }: Found, calls: FileCalls): PathStat {
  return {
    name: Buffer.from(baseName(path), "latin1").toString("utf8"),
    sizeBytes: Number(stat.size),
    mode: Number(stat.mode),
    modifiedNs: stat.mtimeNs,
    linkTarget: stat.isSymbolicLink() ? Buffer.from(linkTarget(view, fd, place, calls), "latin1").toString("utf8") : "",
  };
}

/** The last name as Go's filepath.Base has it: of "a/." it is ".", of the root "/". */
export function baseName(path: BytePath): BytePath {
  const trimmed = path.replace(/\/+$/, "");
  return trimmed === "" ? "/" : trimmed.slice(trimmed.lastIndexOf("/") + 1);
}

/** Where a symlink leads in the container, absolute; one that leads nowhere as far as its own text says. */
function linkTarget(view: OpenView, fd: number, place: BytePath, calls: FileCalls): BytePath {
  try {
    using target = find(view, place, "follow", calls);
    return `/${target.path}`;
  } catch {
    const text = calls.readLink(fd, "") ?? "";
    const joined = text.startsWith("/") ? text : `/${place}/../${text}`;
    return normalize(joined);
  }
}

function normalize(path: BytePath): BytePath {
  const done: BytePath[] = [];
  for (const part of path.split("/")) {
    if (part === "..") done.pop();
    else if (part !== "" && part !== ".") done.push(part);
  }
  return `/${done.join("/")}`;
}

/** A name in an open directory, whatever it is; undefined: it is gone. */
export function openChild(directoryFd: number, name: BytePath, calls: FileCalls): number | undefined {
  try {
    return calls.openPath(directoryFd, name);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw pathFailure(error, name);
  }
}

/** The directory that holds what was found, and its name there. The root has none. */
export function holderOf(view: OpenView, found: Found, calls: FileCalls): { fd: number; name: BytePath } {
  const slash = found.path.lastIndexOf("/");
  if (found.path === "") throw pathNotFound("/");
  return {
    fd: openInView(view, slash < 0 ? "" : found.path.slice(0, slash), "keep", calls),
    name: found.path.slice(slash + 1),
  };
}
