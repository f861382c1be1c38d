/**
 * A path or link target as the archive has it. File names are bytes, not text: each character stands for one byte
 * (latin1), so nothing is lost and splitting at "/" is right. `displayPath` makes it readable.
 */
export type BytePath = string;

export type TarEntryKind = "file" | "directory" | "symlink" | "hardlink" | "character-device" | "block-device" | "fifo";

export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly path: BytePath;
  /** Of symlinks and hardlinks, else "". */
  readonly linkTarget: BytePath;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of files: bytes with holes counted; else 0. */
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: ReadonlyMap<BytePath, Uint8Array>;
}

/** For people: the bytes read as UTF-8, what is none of it and control characters shown as replacement signs. */
export function displayPath(path: BytePath): string {
  const text = Buffer.from(path, "latin1").toString("utf8");
  // biome's rule against control characters in patterns is met by classes of Unicode properties
  return text.replace(/\p{Cc}/gu, "\ufffd").slice(0, 500);
}
