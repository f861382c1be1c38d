import { chmodSync, chownSync, fstatSync, readdirSync } from "node:fs";
import {
  type Device,
  descriptorPath,
  type FileCalls,
  NO_DEVICE,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
} from "../linux/file-calls.ts";
import { isErrno } from "../linux/libc.ts";
import { hostId, hostRoot, type UserMapping } from "../linux/user-mapping.ts";
import { type BytePath, displayPath, type TarEntry } from "../tar/entry.ts";
import type { TarSink } from "../tar/reader.ts";
import { pathFailure } from "./refusals.ts";
import { find, type OpenTree } from "./tree.ts";

const NODE_TYPES = { fifo: S_IFIFO, "character-device": S_IFCHR, "block-device": S_IFBLK } as const;
const NEW_DIRECTORY_MODE = 0o755;

export interface UnpackOptions {
  /** A file never replaces a directory, nor the other way round. */
  readonly keepsKinds: boolean;
  /** What the archive says of the directory itself holds for it; else it stays as it is. */
  readonly describesTop: boolean;
  /** Device nodes are made; else refused: whoever may open one has the device. */
  readonly makesDevices: boolean;
  /** Whom everything that is made belongs to; undefined: whom the archive says. */
  readonly owner: Owner | undefined;
  /** Owners are ids inside of it. */
  readonly userMapping: UserMapping | undefined;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Place {
  readonly fd: number;
  readonly name: BytePath;
}

/**
 * Unpacks an archive below a directory of a tree. Archive and tree are hostile: a directory is opened by its path from the
 * tree's root (symlinks are followed, inside), and what is made in it by its one name, which is never followed, so that
 * whoever changes the tree meanwhile leads us nowhere else. Synchronous. Throws what the tree's refusals make; what was
 * unpacked until then stays.
 */
export class Unpacker implements TarSink, Disposable {
  readonly #tree: OpenTree;
  readonly #calls: FileCalls;
  readonly #options: UnpackOptions;
  /** From the tree's root; symlinks are resolved. */
  readonly #base: BytePath;
  readonly #directoryTimes = new Map<BytePath, TarEntry>();
  #topTime: TarEntry | undefined;
  #parent: { readonly path: BytePath; readonly fd: number } | undefined;
  #entry: TarEntry | undefined;
  #file: { readonly fd: number; end: number } | undefined;

  constructor(tree: OpenTree, path: BytePath, options: UnpackOptions, calls: FileCalls) {
    using found = find(tree, path, "follow", calls);
    if (!found.stat.isDirectory()) throw tree.refusals.refused(path, "extraction point is not a directory");
    this.#tree = tree;
    this.#calls = calls;
    this.#options = options;
    this.#base = found.path;
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
  }

  end(): void {
    this.#guard(() => this.#finishFile());
  }

  /** After the archive's end: what was made in a directory has changed its time. */
  finish(): void {
    for (const [path, entry] of this.#directoryTimes) {
      this.#guard(() => {
        const { fd, name } = this.#placeOf(path);
        this.#calls.setTimeAt(fd, name, timeOf(entry));
      });
    }
    const top = this.#topTime;
    if (top === undefined) return;
    this.#guard(() => {
      const fd = this.#openDirectory(this.#base);
      try {
        this.#calls.setTimeAt(fd, ".", timeOf(top));
      } finally {
        this.#calls.close(fd);
      }
    });
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) this.#calls.close(this.#file.fd);
    if (this.#parent !== undefined) this.#calls.close(this.#parent.fd);
    this.#file = undefined;
    this.#parent = undefined;
  }

  #place(entry: TarEntry): void {
    const path = cleanName(entry.path, this.#tree);
    if (path === "") {
      if (this.#options.describesTop && entry.kind === "directory") this.#top(entry);
      return;
    }
    if (entry.kind.endsWith("device") && !this.#options.makesDevices) {
      throw this.#tree.refusals.refused(entry.path, "it is a device");
    }
    const place = this.#placeOf(path);
    const present = this.#calls.stat(place.fd, place.name);
    const merges = present?.isDirectory() === true && entry.kind === "directory";
    if (present !== undefined && !merges) {
      this.#refuseOtherKind(entry, present.isDirectory());
      removeTree(place, this.#calls);
    }
    if (entry.kind === "file") this.#file = { fd: this.#calls.createFile(place.fd, place.name), end: 0 };
    else if (entry.kind === "directory") this.#directory(entry, place, path, merges);
    else if (entry.kind === "hardlink") this.#link(entry, place);
    else this.#named(entry, entry.kind, place);
  }

  #refuseOtherKind(entry: TarEntry, isDirectory: boolean): void {
    if (!this.#options.keepsKinds || isDirectory === (entry.kind === "directory")) return;
    const [there, given] = isDirectory ? ["directory", "non-directory"] : ["non-directory", "directory"];
    const names = [`/${this.#below(cleanName(entry.path, this.#tree))}`, `/${cleanName(entry.path, this.#tree)}`].map(
      displayPath,
    );
    throw this.#tree.refusals.refused(
      entry.path,
      `cannot overwrite ${there} "${names[0]}" with ${given} "${names[1]}"`,
    );
  }

  #directory(entry: TarEntry, place: Place, path: BytePath, isThere: boolean): void {
    if (!isThere) this.#calls.makeDirectory(place.fd, place.name);
    this.#describe(entry, place);
    this.#directoryTimes.set(path, entry);
  }

  /** Its time is set at the end, as that of every directory. */
  #top(entry: TarEntry): void {
    const fd = this.#openDirectory(this.#base);
    try {
      const own = descriptorPath(fd);
      const { uid, gid } = this.#ownerOf(entry);
      chownSync(own, uid, gid);
      chmodSync(own, entry.mode);
      setXattrs(entry, (name, value) => this.#calls.setXattrAt(`${own}/.`, name, value));
    } finally {
      this.#calls.close(fd);
    }
    this.#topTime = entry;
  }

  #named(entry: TarEntry, kind: keyof typeof NODE_TYPES | "symlink", place: Place): void {
    if (kind === "symlink") this.#calls.symlink(entry.linkTarget, place.fd, place.name);
    else this.#calls.makeNode(place.fd, place.name, NODE_TYPES[kind], deviceOf(entry, this.#tree));
    this.#describe(entry, place);
    this.#calls.setTimeAt(place.fd, place.name, timeOf(entry));
  }

  #link(entry: TarEntry, place: Place): void {
    const target = cleanName(entry.linkTarget, this.#tree);
    const slash = target.lastIndexOf("/");
    const from = this.#calls.openInRoot(this.#tree.rootFd, this.#below(target.slice(0, Math.max(slash, 0))), "follow");
    try {
      this.#calls.link(from, target.slice(slash + 1), place.fd, place.name);
    } finally {
      this.#calls.close(from);
    }
  }

  #finishFile(): void {
    const { file, entry } = { file: this.#file, entry: this.#entry };
    if (file === undefined || entry === undefined) return;
    if (file.end < entry.size) this.#calls.truncate(file.fd, entry.size); // ends in a hole
    const { uid, gid } = this.#ownerOf(entry);
    this.#calls.chown(file.fd, uid, gid);
    this.#calls.chmod(file.fd, entry.mode);
    setXattrs(entry, (name, value) => this.#calls.setXattr(file.fd, name, value));
    this.#calls.setTime(file.fd, timeOf(entry));
    this.#calls.close(file.fd);
    this.#file = undefined;
  }

  /** On the host. */
  #ownerOf(entry: TarEntry): Owner {
    const { owner, userMapping } = this.#options;
    const inside = owner ?? entry;
    if (userMapping === undefined) return inside;
    const [uid, gid] = [hostId(userMapping.uids, inside.uid), hostId(userMapping.gids, inside.gid)];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
    throw this.#tree.refusals.refused(
      entry.path,
      `its owner ${inside.uid}:${inside.gid} is none of the container's user namespace`,
    );
  }

  /** Owner, mode, xattrs, in this order: a chown clears setuid bits and capabilities. */
  #describe(entry: TarEntry, { fd, name }: Place): void {
    const { uid, gid } = this.#ownerOf(entry);
    this.#calls.chownAt(fd, name, uid, gid);
    if (entry.kind !== "symlink") chmodUnfollowed(this.#calls, { fd, name }, entry.mode);
    const place = descriptorPath(fd, name);
    setXattrs(entry, (key, value) => this.#calls.setXattrAt(place, key, value));
  }

  #below(path: BytePath): BytePath {
    return [this.#base, path].filter((part) => part !== "").join("/");
  }

  /** The directory that an entry lies in, made where it is missing, and its name there. Stays open until the next call. */
  #placeOf(path: BytePath): Place {
    const slash = path.lastIndexOf("/");
    const parent = this.#below(slash < 0 ? "" : path.slice(0, slash));
    const name = path.slice(slash + 1);
    if (this.#parent?.path === parent) return { fd: this.#parent.fd, name };
    const fd = this.#openMade(parent);
    if (this.#parent !== undefined) this.#calls.close(this.#parent.fd);
    this.#parent = { path: parent, fd };
    return { fd, name };
  }

  #openMade(path: BytePath): number {
    try {
      return this.#openDirectory(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT") || path === "") throw error;
    }
    const slash = path.lastIndexOf("/");
    const above = this.#openMade(slash < 0 ? "" : path.slice(0, slash));
    try {
      const place = { fd: above, name: path.slice(slash + 1) };
      this.#calls.makeDirectory(place.fd, place.name);
      const { userMapping } = this.#options;
      const root = userMapping === undefined ? undefined : hostRoot(userMapping);
      if (root !== undefined) this.#calls.chownAt(place.fd, place.name, root.uid, root.gid);
      chmodUnfollowed(this.#calls, place, NEW_DIRECTORY_MODE);
    } finally {
      this.#calls.close(above);
    }
    return this.#openDirectory(path);
  }

  /** The slash at the end refuses what is no directory. */
  #openDirectory(path: BytePath): number {
    return this.#calls.openInRoot(this.#tree.rootFd, path === "" ? "" : `${path}/`, "follow");
  }

  #guard(work: () => void): void {
    const path = this.#entry?.path ?? "";
    const { refusals } = this.#tree;
    try {
      work();
    } catch (error) {
      if (isErrno(error, "EROFS")) throw refusals.readOnly(path, this.#isInRoot(), error);
      if (isErrno(error, "EEXIST")) {
        throw refusals.refused(path, "somebody else makes files there at the same time", error);
      }
      throw pathFailure(error, path, refusals);
    }
  }

  /** Whether what refused is the root itself, and not something mounted in it. */
  #isInRoot(): boolean {
    using base = find(this.#tree, this.#base, "follow", this.#calls);
    const root = fstatSync(this.#tree.rootFd, { bigint: true });
    return base.stat.dev === root.dev;
  }
}

/**
 * An entry's name as one below the directory: "" is that itself. Refused: one that climbs above it.
 */
function cleanName(raw: BytePath, { refusals }: OpenTree): BytePath {
  const parts: BytePath[] = [];
  for (const part of raw.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refusals.invalid(`"${displayPath(raw)}" is outside of the directory`);
  }
  return parts.join("/");
}

/** Overlay's own marks are not for archives to set; what a file system does not have is left out, as Docker does. */
function setXattrs({ xattrs }: TarEntry, set: (name: BytePath, value: Uint8Array) => void): void {
  for (const [name, value] of xattrs) {
    if (/^(trusted|user)\.overlay\./.test(name)) continue;
    try {
      set(name, value);
    } catch (error) {
      if (!isErrno(error, "EOPNOTSUPP", "EPERM")) throw error;
    }
  }
}

/** fchmodat(2) follows a symlink that somebody puts there in the same moment, out of the container: so by descriptor. */
function chmodUnfollowed(calls: FileCalls, { fd, name }: Place, mode: number): void {
  const own = calls.openPath(fd, name);
  try {
    if (!fstatSync(own).isSymbolicLink()) chmodSync(descriptorPath(own), mode);
  } finally {
    calls.close(own);
  }
}

/** Without following anything, and by descriptors: a name that becomes a symlink meanwhile is only unlinked. */
function removeTree({ fd, name }: Place, calls: FileCalls): void {
  if (calls.stat(fd, name)?.isDirectory() !== true) {
    calls.unlink(fd, name);
    return;
  }
  const own = calls.openDirectory(fd, name);
  try {
    for (const child of readdirSync(descriptorPath(own), { encoding: "latin1" })) {
      removeTree({ fd: own, name: child }, calls);
    }
  } finally {
    calls.close(own);
  }
  calls.removeDirectory(fd, name);
}

function deviceOf({ kind, path, deviceMajor: major, deviceMinor: minor }: TarEntry, { refusals }: OpenTree): Device {
  if (kind === "fifo") return NO_DEVICE;
  if (major >= 0 && minor >= 0 && major <= 0xfff && minor <= 0xfffff) return { major, minor };
  throw refusals.invalid(`the device numbers of "${displayPath(path)}" are out of range`);
}

function timeOf({ mtimeSeconds, mtimeNanoseconds }: TarEntry) {
  return { seconds: mtimeSeconds, nanoseconds: mtimeNanoseconds };
}
