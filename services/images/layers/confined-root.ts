import type { FileCalls } from "../../kit/linux/file-calls.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";
import { checkPath, escapesRoot, prefixesOf } from "./entry-path.ts";
import type { LayerLimits } from "./limits.ts";
import type { LayerNotes } from "./notes.ts";
import { setOpaque, type XattrFormat } from "./whiteout.ts";

/** An open directory of the layer. `path` is where it really is: no symlink in it. */
export interface OpenDirectory {
  readonly fd: number;
  readonly path: BytePath;
}

export interface ConfinedRootParts {
  readonly calls: FileCalls;
  readonly rootFd: number;
  readonly limits: LayerLimits;
  readonly notes: LayerNotes;
  readonly xattrs: XattrFormat;
}

const MAX_SYMLINKS = 40;
/** Archives go through a tree depth first: nearly every entry lies in the last directory or one above it. */
const CACHED_DIRECTORIES = 16;

/**
 * A layer's directory as the only world there is: paths are resolved below it, in it an absolute symlink starts again at
 * its root, and what climbs above it is refused. Relies on nobody else changing the tree; symlinks that are already in
 * it are hostile all the same. The kernel walks (openat2, no symlinks); only where there is one we resolve ourselves.
 */
export class ConfinedRoot implements Disposable {
  readonly #parts: ConfinedRootParts;
  readonly #cache = new Map<BytePath, OpenDirectory>();

  constructor(parts: ConfinedRootParts) {
    this.#parts = parts;
  }

  /**
   * The directory at a clean path, made where it is missing (and noted as implied). Stays open for at least the next few calls.
   * Throws LAYER_ESCAPES_ROOT, LAYER_CORRUPT (something else is there), SyscallError.
   */
  directory(path: BytePath): OpenDirectory {
    const known = this.find(path);
    if (known !== undefined) return known;
    const resolved = this.#resolve(path);
    this.#makeMissing(resolved);
    return this.#open(path, resolved);
  }

  /** The same without making anything; undefined where it, or a directory above it, is missing or none. */
  find(path: BytePath): OpenDirectory | undefined {
    const cached = this.#cached(path);
    if (cached !== undefined) return cached;
    try {
      return this.#open(path, path);
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      if (!isErrno(error, "ELOOP")) throw error;
    }
    try {
      return this.#open(path, this.#resolve(path));
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
      throw error;
    }
  }

  /** After anything that a path may lead through has been replaced. */
  forgetDirectories(): void {
    for (const { fd } of this.#cache.values()) this.#parts.calls.close(fd);
    this.#cache.clear();
  }

  [Symbol.dispose](): void {
    this.forgetDirectories();
  }

  /** What was used last stays longest: the two directories of a hard link are open at the same time. */
  #cached(path: BytePath): OpenDirectory | undefined {
    const directory = this.#cache.get(path);
    if (directory === undefined) return undefined;
    this.#cache.delete(path);
    this.#cache.set(path, directory);
    return directory;
  }

  #open(path: BytePath, resolved: BytePath): OpenDirectory {
    return this.#remember(path, { fd: this.#parts.calls.openDirectory(this.#parts.rootFd, resolved), path: resolved });
  }

  #remember(path: BytePath, directory: OpenDirectory): OpenDirectory {
    const [oldest] = this.#cache;
    if (this.#cache.size >= CACHED_DIRECTORIES && oldest !== undefined) {
      this.#parts.calls.close(oldest[1].fd);
      this.#cache.delete(oldest[0]);
    }
    this.#cache.set(path, directory);
    return directory;
  }

  /** Works off symlinks as the kernel does below a root, but refuses where the kernel would stop at it: above. */
  #resolve(path: BytePath): BytePath {
    const { calls, rootFd, limits } = this.#parts;
    const pending = path.split("/").reverse();
    let done: BytePath[] = [];
    for (let links = 0; pending.length > 0; ) {
      const part = pending.pop() ?? "";
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (done.pop() === undefined) throw escapesRoot(path);
        continue;
      }
      const candidate = [...done, part].join("/");
      checkPath(candidate, [...done, part], limits);
      const target = calls.readLink(rootFd, candidate);
      if (target === undefined) {
        done.push(part);
        continue;
      }
      if (++links > MAX_SYMLINKS) throw corrupt(`too many symbolic links lead to "${displayPath(path)}"`);
      if (target.startsWith("/")) done = [];
      pending.push(...target.split("/").reverse());
    }
    return done.join("/");
  }

  #makeMissing(path: BytePath): void {
    const { calls, rootFd, notes } = this.#parts;
    for (const prefix of prefixesOf(path)) {
      try {
        calls.makeDirectory(rootFd, prefix);
      } catch (error) {
        if (!isErrno(error, "EEXIST")) throw error;
        if (notes.whiteouts.has(prefix)) this.#replaceWhiteout(prefix);
        else if (!calls.stat(rootFd, prefix)?.isDirectory()) throw notDirectory(prefix);
        continue;
      }
      calls.chmodAt(rootFd, prefix, 0o755);
      notes.implied.add(prefix);
    }
  }

  /** The lower directory is gone and this one has nothing of it, so there is nothing to finish later either. */
  #replaceWhiteout(path: BytePath): void {
    const { calls, rootFd, notes, xattrs } = this.#parts;
    calls.unlink(rootFd, path);
    notes.forget(path);
    calls.makeDirectory(rootFd, path);
    calls.chmodAt(rootFd, path, 0o755);
    setOpaque(calls, rootFd, path, xattrs);
  }
}

function notDirectory(path: BytePath) {
  return corrupt(`it has entries below "${displayPath(path)}", which is not a directory`);
}
