import { closeSync, constants, openSync, rmSync } from "node:fs";
import {
  type Device,
  descriptorPath,
  type FileCalls,
  NO_DEVICE,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../../kit/linux/file-calls.ts";
import { isErrno, SyscallError, syscallFailure } from "../../kit/linux/libc.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath, type TarEntry } from "../../kit/tar/entry.ts";
import type { TarSink } from "../../kit/tar/reader.ts";
import { noSpace } from "../blobs/ingest.ts";
import { setFileAttributes, setNamedAttributes, timeOf } from "./attributes.ts";
import { ConfinedRoot, type OpenDirectory } from "./confined-root.ts";
import { cleanPath, joinPath, splitPath } from "./entry-path.ts";
import { type LayerLimits, tooLarge } from "./limits.ts";
import { LayerNotes, type MissingLinkTarget } from "./notes.ts";
import { makeWhiteout, setOpaque, whiteoutName, type XattrFormat } from "./whiteout.ts";

export interface ExtractedLayer {
  /** Bytes of file content, holes left out: what Docker calls a layer's size. */
  readonly sizeBytes: number;
  /** The same in blocks of 4 KiB, with one for each directory: about what it takes on disk. */
  readonly diskBytes: number;
  readonly entryCount: number;
  /** Directories that no entry describes, outermost first: made as 0755 root, to be finished from the lower layers. */
  readonly impliedDirectories: readonly BytePath[];
  readonly missingLinkTargets: readonly MissingLinkTarget[];
}

export interface ExtractorParts {
  /** This thread's own. */
  readonly calls: FileCalls;
  readonly directory: string;
  readonly limits: LayerLimits;
  readonly xattrs: XattrFormat;
}

interface Place {
  readonly directory: OpenDirectory;
  readonly name: BytePath;
  readonly path: BytePath;
}

const BLOCK = 4096;
const MAX_DEVICE_MAJOR = 0xfff;
const MAX_DEVICE_MINOR = 0xfffff;
const NODE_TYPES = { fifo: S_IFIFO, "character-device": S_IFCHR, "block-device": S_IFBLK } as const;

/**
 * Writes a layer's entries into an empty directory that nobody else uses, ready to be an overlayfs lower directory.
 * The entries are hostile: none is written outside of it, whatever symlinks, links and names there are. Synchronous,
 * for a worker thread. Throws INVALID_ARGUMENT LAYER_ESCAPES_ROOT and LAYER_CORRUPT; RESOURCE_EXHAUSTED
 * LAYER_TOO_LARGE and NO_SPACE; what was written until then stays for the caller to remove.
 */
export class LayerExtractor implements TarSink, Disposable {
  readonly #calls: FileCalls;
  readonly #limits: LayerLimits;
  readonly #xattrs: XattrFormat;
  readonly #notes = new LayerNotes();
  readonly #rootFd: number;
  readonly #root: ConfinedRoot;
  /** Something is gone that a remembered directory may have been, or led through. */
  #hasReplaced = false;
  #entry: TarEntry | undefined;
  #file: { readonly fd: number; end: number; written: number } | undefined;
  #sizeBytes = 0;
  #blocks = 0;
  #entryCount = 0;

  constructor({ calls, directory, limits, xattrs }: ExtractorParts) {
    this.#calls = calls;
    this.#limits = limits;
    this.#xattrs = xattrs;
    this.#rootFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.#root = new ConfinedRoot({ calls, rootFd: this.#rootFd, limits, notes: this.#notes, xattrs });
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#guard(() => this.#place(entry));
  }

  data(chunk: Uint8Array, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#guard(() => this.#calls.write(file.fd, chunk, offset));
    file.end = offset + chunk.length;
    file.written += chunk.length;
  }

  end(): void {
    this.#guard(() => this.#finishFile());
  }

  /** After the archive's end. */
  finish(): ExtractedLayer {
    this.#guard(() => {
      for (const [path, time] of this.#notes.directoryTimes) this.#calls.setTimeAt(this.#rootFd, path || ".", time);
    });
    return {
      sizeBytes: this.#sizeBytes,
      diskBytes: this.#blocks * BLOCK,
      entryCount: this.#entryCount,
      impliedDirectories: [...this.#notes.implied].sort(),
      missingLinkTargets: [...this.#notes.missingLinks].map(([path, target]) => ({ path, target })),
    };
  }

  [Symbol.dispose](): void {
    this.#closeFile();
    this.#root[Symbol.dispose]();
    closeSync(this.#rootFd);
  }

  #place(entry: TarEntry): void {
    if (++this.#entryCount > this.#limits.maxEntries)
      throw tooLarge(`it has more than ${this.#limits.maxEntries} entries`);
    if (this.#hasReplaced) this.#root.forgetDirectories();
    this.#hasReplaced = false;
    const cleaned = cleanPath(entry.path, this.#limits);
    if (cleaned === "") {
      this.#describeRoot(entry);
      return;
    }
    const { parent, name } = splitPath(cleaned);
    const whiteout = whiteoutName(name);
    if (whiteout.kind === "ignored") return;
    const directory = this.#root.directory(parent);
    if (whiteout.kind === "opaque") setOpaque(this.#calls, directory.fd, "", this.#xattrs);
    else if (whiteout.kind === "whiteout") this.#whiteout(directory, whiteout.name);
    else this.#make(entry, { directory, name, path: joinPath(directory.path, name) });
  }

  #describeRoot(entry: TarEntry): void {
    if (entry.kind !== "directory") throw corrupt("its root is not a directory");
    setNamedAttributes(this.#calls, this.#rootFd, ".", entry);
    this.#notes.directoryTimes.set("", timeOf(entry));
  }

  /** What this layer itself holds under the name is not hidden by it (layer.md): only what is below becomes so. */
  #whiteout(directory: OpenDirectory, name: BytePath): void {
    const path = joinPath(directory.path, name);
    try {
      makeWhiteout(this.#calls, directory.fd, name);
      this.#notes.whiteouts.add(path);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      if (!this.#calls.stat(directory.fd, name)?.isDirectory()) return;
      setOpaque(this.#calls, directory.fd, name, this.#xattrs);
      this.#notes.implied.delete(path);
    }
  }

  #make(entry: TarEntry, place: Place): void {
    if (this.#notes.missingLinks.size > 0) this.#notes.missingLinks.delete(place.path);
    switch (entry.kind) {
      case "file":
        this.#makeFile(entry, place);
        break;
      case "directory":
        this.#makeDirectory(entry, place);
        break;
      case "hardlink":
        this.#makeLink(entry, place);
        break;
      case "symlink":
      case "fifo":
      case "character-device":
      case "block-device":
        this.#makeNamed(entry, entry.kind, place);
        break;
      default:
        entry.kind satisfies never;
    }
  }

  #makeFile(entry: TarEntry, place: Place): void {
    if (entry.size > this.#limits.maxFileBytes) {
      throw tooLarge(`"${displayPath(entry.path)}" has more than ${this.#limits.maxFileBytes} bytes`);
    }
    const fd = this.#replacing(place, () => this.#calls.createFile(place.directory.fd, place.name));
    this.#file = { fd, end: 0, written: 0 };
  }

  #finishFile(): void {
    const { file, entry } = { file: this.#file, entry: this.#entry };
    if (file === undefined || entry === undefined) return;
    if (file.end < entry.size) this.#calls.truncate(file.fd, entry.size); // ends in a hole
    setFileAttributes(this.#calls, file.fd, entry);
    this.#sizeBytes += file.written;
    this.#blocks += Math.ceil(file.written / BLOCK);
    this.#closeFile();
  }

  #closeFile(): void {
    if (this.#file !== undefined) this.#calls.close(this.#file.fd);
    this.#file = undefined;
  }

  #makeDirectory(entry: TarEntry, place: Place): void {
    const { directory, name, path } = place;
    const hidesLower = this.#notes.whiteouts.has(path);
    try {
      this.#calls.makeDirectory(directory.fd, name);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      const isDirectory = this.#calls.stat(directory.fd, name)?.isDirectory() ?? false;
      if (!isDirectory) this.#replacing(place, () => this.#calls.makeDirectory(directory.fd, name));
    }
    if (hidesLower) setOpaque(this.#calls, directory.fd, name, this.#xattrs);
    setNamedAttributes(this.#calls, directory.fd, name, entry);
    this.#notes.implied.delete(path);
    this.#notes.directoryTimes.set(path, timeOf(entry));
    this.#blocks++;
  }

  #makeNamed(entry: TarEntry, kind: keyof typeof NODE_TYPES | "symlink", place: Place): void {
    const { directory, name } = place;
    this.#replacing(place, () => {
      if (kind === "symlink") this.#calls.symlink(entry.linkTarget, directory.fd, name);
      else this.#calls.makeNode(directory.fd, name, NODE_TYPES[kind], deviceOf(entry));
    });
    setNamedAttributes(this.#calls, directory.fd, name, entry);
  }

  /** The target's attributes are its own; what the entry says of them is the same in every archive that means well. */
  #makeLink(entry: TarEntry, place: Place): void {
    const target = cleanPath(entry.linkTarget, this.#limits);
    const { parent, name } = splitPath(target);
    const from = this.#root.find(parent);
    if (from === undefined || this.#notes.whiteouts.has(joinPath(from.path, name))) {
      this.#noteMissing(place, target);
      return;
    }
    if (joinPath(from.path, name) === place.path)
      throw corrupt(`"${displayPath(place.path)}" is a hard link to itself`);
    try {
      this.#replacing(place, () => this.#calls.link(from.fd, name, place.directory.fd, place.name));
    } catch (error) {
      if (isErrno(error, "ENOENT")) this.#noteMissing(place, target);
      else if (isErrno(error, "EPERM", "EMLINK")) throw corrupt(`"${displayPath(target)}" cannot be linked to`, error);
      else throw error;
    }
  }

  #noteMissing(place: Place, target: BytePath): void {
    if (this.#calls.stat(this.#rootFd, place.path) !== undefined) this.#clear(place);
    this.#notes.missingLinks.set(place.path, target);
  }

  /** Makes something under a name; what an earlier entry put there goes first. */
  #replacing<T>(place: Place, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
    this.#clear(place);
    return make();
  }

  #clear({ directory, name, path }: Place): void {
    const stat = this.#calls.stat(directory.fd, name);
    if (stat?.isDirectory()) {
      rmSync(Buffer.from(descriptorPath(directory.fd, name), "latin1"), { recursive: true });
      this.#notes.forgetTree(path);
    } else {
      this.#calls.unlink(directory.fd, name);
      this.#notes.forget(path);
    }
    this.#hasReplaced = true;
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw extractFailure(error, this.#entry);
    }
  }
}

function deviceOf({ kind, path, deviceMajor: major, deviceMinor: minor }: TarEntry): Device {
  if (kind === "fifo") return NO_DEVICE;
  if (major < 0 || minor < 0 || major > MAX_DEVICE_MAJOR || minor > MAX_DEVICE_MINOR) {
    throw corrupt(`the device numbers of "${displayPath(path)}" are out of range`);
  }
  return { major, minor };
}

/** The kernel's words for what only a strange archive asks for. */
const CORRUPT_ERRNOS = new Set([
  "ENAMETOOLONG",
  "ENOTDIR",
  "ELOOP",
  "EILSEQ",
  "EOVERFLOW",
  "EFBIG",
  "EINVAL",
  "ENOENT",
]);

function extractFailure(error: unknown, entry: TarEntry | undefined): unknown {
  if (!(error instanceof SyscallError)) return error;
  const what = `extract the layer's entry "${displayPath(entry?.path ?? "")}"`;
  if (error.errnoName === "ENOSPC" || error.errnoName === "EDQUOT") return noSpace(what, error);
  return CORRUPT_ERRNOS.has(error.errnoName) ? corrupt(error.message, error) : syscallFailure(error, what);
}
