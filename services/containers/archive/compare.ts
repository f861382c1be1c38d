import { type BigIntStats, fstatSync, readdirSync } from "node:fs";
import { descriptorPath, type FileCalls } from "../../kit/linux/file-calls.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import type { BytePath } from "../../kit/tar/entry.ts";
import type { PathChange } from "./jobs.ts";
import type { OpenView } from "./view.ts";

const OPAQUE = "trusted.overlay.opaque";

/**
 * What differs between an overlay's upper directory and the layers below it (`below`, mounted), parents before
 * children: what the upper directory has, whiteouts (a device 0/0), and what an opaque directory hides. A directory that is
 * there only because of its children is told as modified, as Docker does.
 */
export class Comparison {
  readonly #below: OpenView;
  readonly #calls: FileCalls;
  /** What a start makes for its own mounts, and no person has asked for. */
  readonly #ignored: ReadonlySet<BytePath>;

  constructor(below: OpenView, ignored: readonly BytePath[], calls: FileCalls) {
    this.#below = below;
    this.#calls = calls;
    this.#ignored = new Set(ignored);
  }

  changes(upperFd: number): Generator<PathChange> {
    return this.#children(upperFd, "", false);
  }

  *#children(fd: number, path: BytePath, isOpaque: boolean): Generator<PathChange> {
    const names = new Set(readdirSync(descriptorPath(fd), { encoding: "latin1" }));
    const hidden = isOpaque ? this.#namesBelow(path).filter((name) => !names.has(name)) : [];
    for (const name of [...names, ...hidden].sort()) {
      const child = path === "" ? name : `${path}/${name}`;
      if (names.has(name)) yield* this.#child(fd, name, child);
      else yield change("deleted", child);
    }
  }

  *#child(directoryFd: number, name: BytePath, path: BytePath): Generator<PathChange> {
    const fd = openOrGone(() => this.#calls.openPath(directoryFd, name));
    if (fd === undefined) return;
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (stat.isCharacterDevice() && stat.rdev === 0n) {
        yield change("deleted", path);
        return;
      }
      const below = this.#statBelow(path);
      const children = stat.isDirectory() ? [...this.#children(fd, path, this.#isOpaque(directoryFd, name))] : [];
      if (this.#isOwn(path, stat, below, children)) return;
      yield change(below === undefined ? "added" : "modified", path);
      yield* children;
    } finally {
      this.#calls.close(fd);
    }
  }

  /** Made by a start alone: a mount point, or a directory that was changed for one. */
  #isOwn(path: BytePath, stat: BigIntStats, below: BigIntStats | undefined, children: readonly PathChange[]): boolean {
    if (children.length > 0) return false;
    if (this.#ignored.has(path)) return below === undefined && (stat.isDirectory() || stat.size === 0n);
    if (!stat.isDirectory() || ![...this.#ignored].some((one) => one.startsWith(`${path}/`))) return false;
    return below === undefined || (below.mode === stat.mode && below.uid === stat.uid && below.gid === stat.gid);
  }

  #isOpaque(directoryFd: number, name: BytePath): boolean {
    return this.#calls.listXattrs(descriptorPath(directoryFd, name)).has(OPAQUE);
  }

  #statBelow(path: BytePath): BigIntStats | undefined {
    const slash = path.lastIndexOf("/");
    const parent = openOrGone(() =>
      this.#calls.openDirectory(this.#below.rootFd, slash < 0 ? "" : path.slice(0, slash)),
    );
    if (parent === undefined) return undefined;
    try {
      return this.#calls.stat(parent, path.slice(slash + 1));
    } finally {
      this.#calls.close(parent);
    }
  }

  #namesBelow(path: BytePath): BytePath[] {
    const fd = openOrGone(() => this.#calls.openDirectory(this.#below.rootFd, path));
    if (fd === undefined) return [];
    try {
      return readdirSync(descriptorPath(fd), { encoding: "latin1" });
    } finally {
      this.#calls.close(fd);
    }
  }
}

function openOrGone(open: () => number): number | undefined {
  try {
    return open();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

function change(kind: PathChange["kind"], path: BytePath): PathChange {
  return { kind, path: `/${Buffer.from(path, "latin1").toString("utf8")}` };
}
