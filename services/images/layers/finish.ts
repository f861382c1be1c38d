import { closeSync, constants, openSync, readdirSync } from "node:fs";
import { CtlError } from "../../kit/errors.ts";
import { descriptorPath, type FileCalls, type FileTime } from "../../kit/linux/file-calls.ts";
import { isErrno, SyscallError, syscallFailure } from "../../kit/linux/libc.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";
import { isNoSpace, noSpace } from "../blobs/ingest.ts";
import { ConfinedRoot } from "./confined-root.ts";
import { copyAttributes, copyUp, timeOf } from "./copy-up.ts";
import { joinPath, splitPath } from "./entry-path.ts";
import type { FinishJob } from "./jobs.ts";
import { isWhiteout, LowerLayers } from "./lower-layers.ts";
import { LayerNotes, type MissingLinkTarget } from "./notes.ts";
import { overlayPrefix, setOpaque } from "./whiteout.ts";

export interface FinishedLayer {
  /** Bytes of file content that were copied up from lower layers. */
  readonly addedBytes: number;
}

/** The thread's half of `finishLayer`. Synchronous. */
export function finishExtracted(job: FinishJob, calls: FileCalls): FinishedLayer {
  using finish = new Finish(job, calls);
  try {
    for (const path of job.impliedDirectories) finish.directory(path);
    for (const link of job.missingLinkTargets) finish.link(link);
    return finish.done();
  } catch (error) {
    throw finishFailure(error);
  }
}

class Finish implements Disposable {
  readonly #job: FinishJob;
  readonly #calls: FileCalls;
  readonly #rootFd: number;
  readonly #notes = new LayerNotes();
  readonly #root: ConfinedRoot;
  readonly #lowers: LowerLayers;
  readonly #times = new Map<BytePath, FileTime>();
  readonly #moved: { readonly from: BytePath; readonly to: BytePath }[] = [];
  #addedBytes = 0;

  constructor(job: FinishJob, calls: FileCalls) {
    const { directory, limits, xattrs, lowerDirectories } = job;
    this.#job = job;
    this.#calls = calls;
    this.#lowers = new LowerLayers(calls, lowerDirectories, xattrs);
    this.#rootFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#root = new ConfinedRoot({ calls, rootFd: this.#rootFd, limits, notes: this.#notes, xattrs });
  }

  /** An implied directory becomes what the layers below have there; where they have nothing it stays as it is. */
  directory(noted: BytePath): void {
    const path = this.#whereNow(noted);
    const below = this.#lowers.find(path, "keep");
    if (below === undefined) return;
    if (below.stat.isDirectory()) {
      copyAttributes(this.#calls, below, this.#rootFd, path);
      this.#times.set(path, timeOf(below));
    } else if (below.stat.isSymbolicLink()) {
      const target = this.#lowers.find(path, "follow");
      if (target?.stat.isDirectory()) this.#relocate(path, target.path);
    }
  }

  /** The target comes up from the layers below, under its own name if that is free, and is linked to. */
  link(noted: MissingLinkTarget): void {
    const path = this.#whereNow(noted.path);
    const { parent, name } = splitPath(path);
    const target = this.#ownOrCopied(this.#whereNow(noted.target), path);
    if (target === path) return;
    const { parent: targetParent, name: targetName } = splitPath(target);
    this.#made(parent);
    this.#keepTime(parent);
    const from = this.#root.directory(targetParent);
    this.#calls.link(from.fd, targetName, this.#root.directory(parent).fd, name);
  }

  done(): FinishedLayer {
    for (const [path, time] of this.#times) this.#calls.setTimeAt(this.#rootFd, path || ".", time);
    return { addedBytes: this.#addedBytes };
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
    this.#lowers[Symbol.dispose]();
    closeSync(this.#rootFd);
  }

  #ownOrCopied(target: BytePath, linkPath: BytePath): BytePath {
    const { parent, name } = splitPath(target);
    const own = this.#root.find(parent);
    const ownStat = own === undefined ? undefined : this.#calls.stat(own.fd, name);
    if (own !== undefined && ownStat !== undefined && !isWhiteout(ownStat)) return joinPath(own.path, name);
    const below = this.#lowers.find(target, "keep");
    if (below === undefined) throw corrupt(`the hard link target "${displayPath(target)}" is in no layer`);
    // a name that this layer hides must stay hidden: then only the link is made
    const place = ownStat === undefined ? below.path : linkPath;
    const { parent: placeParent, name: placeName } = splitPath(place);
    const directory = this.#made(placeParent);
    this.#keepTime(placeParent);
    this.#addedBytes += copyUp(this.#calls, below, directory, placeName);
    return place;
  }

  /** A directory of this layer, made with the attributes that it has below where it is missing. */
  #made(path: BytePath): number {
    this.#root.directory(path);
    const made = [...this.#notes.implied];
    this.#notes.implied.clear();
    for (const prefix of made) this.directory(prefix);
    return this.#root.directory(path).fd;
  }

  /** What is made in a directory here must not show in its time. */
  #keepTime(path: BytePath): void {
    const stat = this.#calls.stat(this.#rootFd, path || ".");
    if (stat !== undefined && !this.#times.has(path)) this.#times.set(path, timeOf({ stat }));
  }

  /**
   * The layers below have a symlink to a directory where this layer implied one (`bin/x` over `bin -> usr/bin`): what is in
   * it belongs where the symlink leads, as if the layer had been extracted on top of them.
   */
  #relocate(from: BytePath, to: BytePath): void {
    const source = this.#root.find(from);
    if (source === undefined) return;
    const isOpaque = this.#calls
      .listXattrs(descriptorPath(source.fd, "."))
      .has(`${overlayPrefix(this.#job.xattrs)}opaque`);
    this.#made(to);
    this.#merge(from, to);
    if (isOpaque) setOpaque(this.#calls, this.#rootFd, to, this.#job.xattrs);
    this.#root.forgetDirectories();
    this.#moved.push({ from, to });
  }

  #merge(from: BytePath, to: BytePath): void {
    this.#keepTime(to);
    const directory = Buffer.from(descriptorPath(this.#rootFd, from), "latin1");
    for (const name of readdirSync(directory, { encoding: "latin1" })) {
      const [source, target] = [joinPath(from, name), joinPath(to, name)];
      const isDirectory = this.#calls.stat(this.#rootFd, source)?.isDirectory() ?? false;
      const meets = this.#calls.stat(this.#rootFd, target);
      if (isDirectory && meets?.isDirectory()) this.#merge(source, target);
      else if (meets === undefined || !(isDirectory || meets.isDirectory())) {
        this.#calls.rename(this.#rootFd, source, this.#rootFd, target);
      } else throw corrupt(`"${displayPath(source)}" and "${displayPath(target)}" are one place and differ`);
    }
    this.#calls.removeDirectory(this.#rootFd, from);
  }

  #whereNow(path: BytePath): BytePath {
    let now = path;
    for (const { from, to } of this.#moved) {
      if (now === from || now.startsWith(`${from}/`)) now = to + now.slice(from.length);
    }
    return now;
  }
}

function finishFailure(error: unknown): unknown {
  const what = "finish the layer on the layers below it";
  if (error instanceof CtlError) return error;
  if (isNoSpace(error) || isErrno(error, "ENOSPC", "EDQUOT")) return noSpace(what, error);
  return error instanceof SyscallError ? syscallFailure(error, what) : error;
}
