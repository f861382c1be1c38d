import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { CtlError } from "../../services/kit/errors.ts";
import { type BytePath, displayPath, type TarEntry } from "../../services/kit/tar/entry.ts";
import type { TarSink } from "../../services/kit/tar/reader.ts";
import { type Plan, renamed } from "./place.ts";

/**
 * Unpacks a container's archive below a directory of this machine. It is hostile: no name climbs out, and below the
 * directory nothing is written through a symlink, whether the archive or somebody before it made that. Owners are the
 * caller's own unless `keepsOwners`. Throws FAILED_PRECONDITION COPY_REFUSED.
 */
export class LocalUnpacker implements TarSink, Disposable {
  readonly #plan: Plan;
  readonly #keepsOwners: boolean;
  /** Directories in which something was made: known to be none behind a symlink. */
  readonly #safe = new Set<BytePath>([""]);
  readonly #directoryTimes = new Map<BytePath, TarEntry>();
  #entry: TarEntry | undefined;
  #file: { readonly fd: number; end: number } | undefined;

  constructor(plan: Plan, keepsOwners: boolean) {
    this.#plan = plan;
    this.#keepsOwners = keepsOwners;
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    const path = this.#nameOf(entry.path);
    if (path === "") return;
    this.#makeParents(path);
    const present = this.#stat(path);
    const merges = present?.isDirectory() === true && entry.kind === "directory";
    if (present !== undefined && !merges) this.#clear(path, entry, present);
    switch (entry.kind) {
      case "file":
        this.#file = { fd: openSync(this.#at(path), NEW_FILE, 0o600), end: 0 };
        break;
      case "directory":
        if (!merges) mkdirSync(this.#at(path), { mode: 0o700 });
        this.#safe.add(path);
        this.#directoryTimes.set(path, entry);
        break;
      case "symlink":
        symlinkSync(Buffer.from(entry.linkTarget, "latin1"), this.#at(path));
        this.#own(path, entry);
        lutimesSync(this.#at(path), entry.mtimeSeconds, entry.mtimeSeconds);
        break;
      case "hardlink":
        this.#link(path, entry);
        break;
      default:
        throw refusedEntry(entry, "it is a device or a FIFO, which is not made here: take it as an archive with -");
    }
  }

  data(chunk: Uint8Array, offset: number): void {
    const file = this.#file;
    if (file === undefined) return;
    for (let done = 0; done < chunk.length; ) {
      done += writeSync(file.fd, chunk, done, chunk.length - done, offset + done);
    }
    file.end = offset + chunk.length;
  }

  end(): void {
    const { file, entry } = { file: this.#file, entry: this.#entry };
    if (file === undefined || entry === undefined) return;
    if (file.end < entry.size) ftruncateSync(file.fd, entry.size); // ends in a hole
    if (this.#keepsOwners) fchownSync(file.fd, entry.uid, entry.gid);
    fchmodSync(file.fd, entry.mode);
    futimesSync(file.fd, entry.mtimeSeconds, entry.mtimeSeconds);
    this[Symbol.dispose]();
  }

  /** After the archive's end: a directory that may not be written to must be filled before it gets its mode. */
  finish(): void {
    for (const [path, entry] of [...this.#directoryTimes].reverse()) {
      this.#own(path, entry);
      chmodSync(this.#at(path), entry.mode);
      utimesSync(this.#at(path), entry.mtimeSeconds, entry.mtimeSeconds);
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #nameOf(raw: BytePath): BytePath {
    const { from, to, directory } = this.#plan;
    const plan = { directory, from: bytesOf(from), to: bytesOf(to) };
    const parts: BytePath[] = [];
    for (const part of renamed(raw.replace(/\/+$/, ""), plan).split("/")) {
      if (part === "" || part === ".") continue;
      if (part !== "..") parts.push(part);
      else if (parts.pop() === undefined) throw new CtlError("FAILED_PRECONDITION", leadsOut(raw));
    }
    return parts.join("/");
  }

  #at(path: BytePath): Buffer {
    return Buffer.concat([Buffer.from(`${this.#plan.directory}/`), Buffer.from(path, "latin1")]);
  }

  #stat(path: BytePath): Stats | undefined {
    return lstatSync(this.#at(path), { throwIfNoEntry: false });
  }

  #makeParents(path: BytePath): void {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      if (this.#safe.has(parent)) continue;
      const present = this.#stat(parent);
      if (present === undefined) mkdirSync(this.#at(parent));
      else if (!present.isDirectory()) throw refusedEntry({ path: parent }, "it is there, and no directory");
      this.#safe.add(parent);
    }
  }

  #clear(path: BytePath, entry: TarEntry, present: Stats): void {
    if (present.isDirectory() !== (entry.kind === "directory")) {
      const [there, given] = present.isDirectory() ? ["directory", "non-directory"] : ["non-directory", "directory"];
      const place = displayPath(this.#at(path).toString("latin1"));
      throw refusedEntry(entry, `cannot overwrite ${there} "${place}" with ${given} "${displayPath(entry.path)}"`);
    }
    rmSync(this.#at(path));
  }

  #link(path: BytePath, entry: TarEntry): void {
    const target = this.#nameOf(entry.linkTarget);
    this.#makeParents(target);
    linkSync(this.#at(target), this.#at(path));
  }

  #own(path: BytePath, { uid, gid }: TarEntry): void {
    if (this.#keepsOwners) lchownSync(this.#at(path), uid, gid);
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function bytesOf(text: string): BytePath {
  return Buffer.from(text, "utf8").toString("latin1");
}

function leadsOut(raw: BytePath) {
  const what = "unpack what the container sent";
  return { reason: "COPY_REFUSED", what, why: `"${displayPath(raw)}" is outside of the directory` };
}

function refusedEntry({ path }: { readonly path: BytePath }, why: string): CtlError {
  const what = `unpack "${displayPath(path)}"`;
  return new CtlError("FAILED_PRECONDITION", { reason: "COPY_REFUSED", what, why });
}
