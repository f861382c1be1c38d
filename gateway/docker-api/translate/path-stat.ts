import type { PathStat } from "#proto/ctl/containers/v1/containers.ts";
import { rfc3339Nano } from "./times.ts";

const S_IFMT = 0o170000;
const S_IFSOCK = 0o140000;
const S_IFLNK = 0o120000;
const S_IFBLK = 0o060000;
const S_IFDIR = 0o040000;
const S_IFCHR = 0o020000;
const S_IFIFO = 0o010000;

/** Go's file modes: the permissions are the kernel's, the type is a bit of its own (io/fs, FileMode). */
const GO_TYPES: Readonly<Record<number, number>> = {
  [S_IFDIR]: 2 ** 31,
  [S_IFLNK]: 2 ** 27,
  [S_IFBLK]: 2 ** 26,
  [S_IFCHR]: 2 ** 26 + 2 ** 21,
  [S_IFIFO]: 2 ** 25,
  [S_IFSOCK]: 2 ** 24,
};
/** setuid, setgid, sticky. */
const GO_BITS = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** What `X-Docker-Container-Path-Stat` holds: JSON in base64. */
export function pathStatHeader({ name, sizeBytes, mode, modified, linkTarget }: PathStat): string {
  const stat = { name, size: sizeBytes, mode: goMode(mode), mtime: rfc3339Nano(modified), linkTarget };
  return Buffer.from(JSON.stringify(stat)).toString("base64");
}

function goMode(mode: number): number {
  const type = GO_TYPES[mode & S_IFMT] ?? 0;
  return GO_BITS.reduce((sum, [bit, goBit]) => ((mode & bit) === 0 ? sum : sum + goBit), type + (mode & 0o777));
}
