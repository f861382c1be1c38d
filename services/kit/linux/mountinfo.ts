import { readFile } from "node:fs/promises";

/** One line of /proc/PID/mountinfo, see proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** The directory of the file system that is mounted: `/` unless it is a bind or a subvolume. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly propagation: "shared" | "slave" | "shared+slave" | "private" | "unbindable";
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}

/** The mounts that a process (by default this one's main thread) sees, in the order in which they were made. */
export async function readMountinfo(pid: number | "self" = "self"): Promise<MountEntry[]> {
  return parseMountinfo(await readFile(`/proc/${pid}/mountinfo`, "utf8"));
}

export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
}

/** The mount on which a path lies, as the kernel resolves it: from the root through what is mounted on the way. */
export function mountOf(entries: readonly MountEntry[], path: string): MountEntry | undefined {
  const ids = new Set(entries.map(({ id }) => id));
  let at = entries.findLast(({ parentId, mountPoint }) => !ids.has(parentId) && covers(mountPoint, path));
  for (let next = at; next !== undefined; next = nextOnTheWay(entries, next, path)) at = next;
  return at;
}

/** Anything that deletion would walk into: something mounted at or below the path. */
export async function hasMountWithin(path: string): Promise<boolean> {
  return (await readMountinfo()).some(({ mountPoint }) => covers(path, mountPoint));
}

/** Whether a mount can be seen at its name: nothing was mounted over it, or over a directory above it, since. */
export function isVisible(entries: readonly MountEntry[], mount: MountEntry): boolean {
  return mountOf(entries, mount.mountPoint) === mount;
}

function nextOnTheWay(entries: readonly MountEntry[], from: MountEntry, path: string): MountEntry | undefined {
  const onTheWay = entries.filter(({ id, parentId, mountPoint }) => {
    return parentId === from.id && id !== from.id && covers(mountPoint, path);
  });
  return onTheWay.reduce<MountEntry | undefined>((nearest, entry) => {
    return nearest === undefined || entry.mountPoint.length <= nearest.mountPoint.length ? entry : nearest;
  }, undefined);
}

function covers(mountPoint: string, path: string): boolean {
  return mountPoint === "/" || path === mountPoint || path.startsWith(`${mountPoint}/`);
}

function parseLine(line: string): MountEntry {
  const [head = "", tail = ""] = line.split(" - ", 2);
  const [id, parentId, , root = "", mountPoint = "", options = "", ...fields] = head.split(" ");
  const [type = "", source = "", superOptions = ""] = tail.split(" ");
  return {
    id: Number(id),
    parentId: Number(parentId),
    root: unescapePath(root),
    mountPoint: unescapePath(mountPoint),
    options: options.split(","),
    propagation: propagationOf(fields),
    type,
    source: unescapePath(source),
    superOptions: superOptions.split(","),
  };
}

function propagationOf(fields: readonly string[]): MountEntry["propagation"] {
  const isShared = fields.some((field) => field.startsWith("shared:"));
  const isSlave = fields.some((field) => field.startsWith("master:"));
  if (isShared) return isSlave ? "shared+slave" : "shared";
  if (isSlave) return "slave";
  return fields.includes("unbindable") ? "unbindable" : "private";
}

/** The kernel writes blank, tab, newline, backslash and # as \ooo, byte by byte. */
function unescapePath(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\([0-7]{3})/g, (_all, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
