import { existsSync, fstatSync, readdirSync, renameSync } from "node:fs";
import { hasErrno } from "../errno.ts";
import { below, copyAttributes } from "./copy-tree.ts";
import type { CopySyscalls } from "./syscalls.ts";

/**
 * Moves what is in one open directory into another of the same file system, and gives that one the first one's owner,
 * mode and times. What is there already stays as it is, and its rival stays behind. Done again it goes on where it ended.
 */
export function* moveEntries(source: number, destination: number, calls: CopySyscalls): Generator<void> {
  const stat = fstatSync(source, { bigint: true }); // moving out changes its times
  for (const name of readdirSync(below(source, "."), { encoding: "buffer" })) {
    move(below(source, name), below(destination, name), calls);
    yield;
  }
  copyAttributes(below(source, "."), below(destination, "."), stat, { calls, owner: undefined });
}

function move(from: Buffer, to: Buffer, calls: CopySyscalls): void {
  try {
    calls.renameUnlessTaken(from, to);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return; // who held the volume's lock before has moved it
    // NFS knows no RENAME_NOREPLACE, renameat2(2)
    if (!hasErrno(error, "EINVAL", "ENOSYS")) throw error;
    if (!existsSync(to)) renameSync(from, to);
  }
}
