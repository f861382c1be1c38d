import { statfsSync } from "node:fs";
import { descriptorPath, type FileCalls, type FileTime } from "../../kit/linux/file-calls.ts";
import { isErrno } from "../../kit/linux/libc.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import type { BytePath, TarEntry } from "../../kit/tar/entry.ts";
import { tooLarge } from "./limits.ts";
import { isOverlayXattr } from "./whiteout.ts";

type Attributes = Pick<TarEntry, "mode" | "uid" | "gid" | "xattrs" | "mtimeSeconds" | "mtimeNanoseconds">;

/** (uid_t)-1 means "leave as it is" to chown(2). */
const MAX_ID = 0xfffffffe;

/**
 * Owner, mode, extended attributes, times of an open file, in this order: a chown clears setuid bits and
 * security.capability, a write clears them too, and everything changes times.
 */
export function setFileAttributes(calls: FileCalls, fd: number, attributes: Attributes): void {
  checkOwner(attributes);
  calls.chown(fd, attributes.uid, attributes.gid);
  calls.chmod(fd, attributes.mode);
  if (attributes.xattrs.size > 0) {
    setXattrs(attributes.xattrs, descriptorPath(fd), (name, value) => calls.setXattr(fd, name, value));
  }
  calls.setTime(fd, timeOf(attributes));
}

/** The same by name, without times for directories: what is made in them later would change these. */
export function setNamedAttributes(calls: FileCalls, directory: number, name: BytePath, entry: TarEntry): void {
  checkOwner(entry);
  calls.chownAt(directory, name, entry.uid, entry.gid);
  if (entry.kind !== "symlink") calls.chmodAt(directory, name, entry.mode);
  if (entry.xattrs.size > 0) {
    const path = descriptorPath(directory, name);
    setXattrs(entry.xattrs, descriptorPath(directory), (key, value) => calls.setXattrAt(path, key, value));
  }
  if (entry.kind !== "directory") calls.setTimeAt(directory, name, timeOf(entry));
}

export function timeOf(attributes: Pick<TarEntry, "mtimeSeconds" | "mtimeNanoseconds">): FileTime {
  return { seconds: attributes.mtimeSeconds, nanoseconds: attributes.mtimeNanoseconds };
}

/**
 * Extended attributes, by whatever sets one. Left out: overlayfs's own marks, and what this file system or kernel does
 * not have (as Docker does).
 */
export function setXattrs(
  xattrs: ReadonlyMap<BytePath, Uint8Array>,
  place: BytePath,
  set: (name: BytePath, value: Uint8Array) => void,
): void {
  for (const [name, value] of xattrs) {
    if (isOverlayXattr(name)) continue;
    if (name === "" || name.includes("\0") || name.length > 255)
      throw corrupt("an extended attribute's name is invalid");
    try {
      set(name, value);
    } catch (error) {
      if (isErrno(error, "E2BIG", "ERANGE") || isTooLargeHere(error, place)) throw tooLarge(`${name} is too long here`);
      if (!isUnsupported(error, name)) throw error;
    }
  }
}

/** ext4 says ENOSPC for attributes that don't fit an inode's one block, on a disk with any amount of room. */
function isTooLargeHere(error: unknown, place: BytePath): boolean {
  if (!isErrno(error, "ENOSPC")) return false;
  const { bavail, ffree } = statfsSync(Buffer.from(place, "latin1"));
  return bavail > 0 && ffree > 0;
}

function isUnsupported(error: unknown, name: BytePath): boolean {
  if (isErrno(error, "EOPNOTSUPP")) return true;
  return isErrno(error, "EPERM", "EACCES", "EINVAL") && name !== "security.capability";
}

function checkOwner({ uid, gid }: Pick<TarEntry, "uid" | "gid">): void {
  if (uid > MAX_ID || gid > MAX_ID) throw corrupt("an entry's owner is not a user or group id");
}
