import { constants, copyFileSync } from "node:fs";
import { descriptorPath, type FileCalls, type FileTime, S_IFMT } from "../../kit/linux/file-calls.ts";
import { corrupt } from "../../kit/tar/corrupt.ts";
import { type BytePath, displayPath } from "../../kit/tar/entry.ts";
import { setXattrs } from "./attributes.ts";
import type { LowerEntry } from "./lower-layers.ts";

/**
 * Copies one entry that is no directory out of a lower layer under a new name, with owner, mode, xattrs and time; its
 * content by reflink where the file system has it. Answers the bytes of content. Throws LAYER_CORRUPT, SyscallError.
 */
export function copyUp(calls: FileCalls, from: LowerEntry, directory: number, name: BytePath): number {
  const { stat } = from;
  let bytes = 0;
  if (stat.isFile()) bytes = copyContent(calls, from, directory, name);
  else if (stat.isSymbolicLink()) calls.symlink(calls.readLink(from.fd, from.path) ?? "", directory, name);
  else if (stat.isDirectory()) throw corrupt(`"${displayPath(from.path)}" is a directory, which has no hard links`);
  else calls.makeNode(directory, name, Number(stat.mode) & S_IFMT, deviceOf(stat.rdev));
  copyAttributes(calls, from, directory, name);
  calls.setTimeAt(directory, name, timeOf(from));
  return bytes;
}

/** Owner, mode and xattrs, not times. */
export function copyAttributes(calls: FileCalls, from: LowerEntry, directory: number, name: BytePath): void {
  const { stat } = from;
  calls.chownAt(directory, name, Number(stat.uid), Number(stat.gid));
  if (!stat.isSymbolicLink()) calls.chmodAt(directory, name, Number(stat.mode) & 0o7777);
  const place = descriptorPath(directory, name);
  const xattrs = calls.listXattrs(descriptorPath(from.fd, from.path));
  setXattrs(xattrs, descriptorPath(directory), (key, value) => calls.setXattrAt(place, key, value));
}

export function timeOf({ stat }: Pick<LowerEntry, "stat">): FileTime {
  const seconds =
    stat.mtimeNs >= 0n ? stat.mtimeNs / 1_000_000_000n : -((-stat.mtimeNs + 999_999_999n) / 1_000_000_000n);
  return { seconds: Number(seconds), nanoseconds: Number(stat.mtimeNs - seconds * 1_000_000_000n) };
}

function copyContent(calls: FileCalls, from: LowerEntry, directory: number, name: BytePath): number {
  const source = calls.openFile(from.fd, from.path);
  try {
    const to = Buffer.from(descriptorPath(directory, name), "latin1");
    copyFileSync(descriptorPath(source), to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return Number(from.stat.size);
  } finally {
    calls.close(source);
  }
}

/** dev_t as makedev(3) packs it. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  return { major: Number((rdev >> 8n) & 0xfffn), minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n)) };
}
