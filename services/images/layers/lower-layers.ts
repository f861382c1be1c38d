import { type BigIntStats, closeSync, constants, openSync } from "node:fs";
import { descriptorPath, type FileCalls } from "../../kit/linux/file-calls.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import { overlayPrefix, type XattrFormat } from "./whiteout.ts";

/** An entry as a container on these layers sees it: in the layer open at `fd`, at `path` (no symlink in its parents). */
export interface LowerEntry {
  readonly fd: number;
  readonly path: BytePath;
  readonly stat: BigIntStats;
}

type Step =
  | { readonly kind: "found"; readonly entry: LowerEntry }
  | { readonly kind: "symlink"; readonly at: number; readonly target: BytePath }
  | { readonly kind: "missing" };

const MISSING: Step = { kind: "missing" };
const MAX_SYMLINKS = 40;

/**
 * Layers merged as overlayfs merges them (upper entries hide lower ones, whiteouts, opaque directories), without a
 * mount: for a handful of look-ups. Nothing outside of them can be reached: symlinks are worked off as text.
 */
export class LowerLayers implements Disposable {
  readonly #calls: FileCalls;
  readonly #fds: number[];
  readonly #opaque: string;

  /** `directories`: uppermost first. */
  constructor(calls: FileCalls, directories: readonly string[], xattrs: XattrFormat) {
    this.#calls = calls;
    this.#opaque = `${overlayPrefix(xattrs)}opaque`;
    this.#fds = [];
    for (const directory of directories) {
      this.#fds.push(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW));
    }
  }

  /** What is at a path; symlinks above it are followed, at its end only with "follow". */
  find(path: BytePath, atEnd: "keep" | "follow"): LowerEntry | undefined {
    let parts = path.split("/");
    for (let links = 0; links < MAX_SYMLINKS; links++) {
      const step = this.#walk(parts, atEnd);
      if (step.kind === "found") return step.entry;
      if (step.kind === "missing") return undefined;
      parts = redirected(parts, step.at, step.target);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd);
  }

  #walk(parts: readonly BytePath[], atEnd: "keep" | "follow"): Step {
    let directories = 0; // so many leading parts are directories of an upper layer: what else a lower one has is hidden
    for (const fd of this.#fds) {
      let hidesBelow = this.#isOpaque(fd, "");
      for (let i = 0; i < parts.length; i++) {
        const path = parts.slice(0, i + 1).join("/");
        const stat = this.#calls.stat(fd, path);
        if (stat === undefined) break;
        if (isWhiteout(stat)) return MISSING;
        const isLast = i === parts.length - 1;
        if (isLast && !(stat.isSymbolicLink() && atEnd === "follow"))
          return { kind: "found", entry: { fd, path, stat } };
        if (!stat.isDirectory()) return i < directories ? MISSING : this.#symlink(fd, path, i);
        directories = Math.max(directories, i + 1);
        hidesBelow ||= this.#isOpaque(fd, path);
      }
      if (hidesBelow) return MISSING;
    }
    return MISSING;
  }

  #symlink(fd: number, path: BytePath, at: number): Step {
    const target = this.#calls.readLink(fd, path);
    return target === undefined ? MISSING : { kind: "symlink", at, target };
  }

  #isOpaque(fd: number, path: BytePath): boolean {
    return (
      this.#calls
        .listXattrs(descriptorPath(fd, path || "."))
        .get(this.#opaque)
        ?.toString() === "y"
    );
  }
}

export function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

/** The path with the symlink at part `at` replaced by where it leads; like a container's own root, / has no above. */
function redirected(parts: readonly BytePath[], at: number, target: BytePath): BytePath[] {
  const result = target.startsWith("/") ? [] : parts.slice(0, at);
  for (const part of [...target.split("/"), ...parts.slice(at + 1)]) {
    if (part === "..") result.pop();
    else if (part !== "" && part !== ".") result.push(part);
  }
  return result;
}
