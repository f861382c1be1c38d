import { chown, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { CtlError } from "../../../kit/errors.ts";
import { errnoOf, hasErrno } from "../../errno.ts";
import { isVolumeName, type VolumeName } from "../../volume.ts";
import type { DriverVolume } from "../driver.ts";

/**
 * <root>/volumes/NAME/_data as Docker has it, and <root>/volumes/.trash/ID for what is to be deleted: by the volume's id,
 * so that content never comes back in a later volume of the same name. (No volume's name begins with a dot.)
 */
export interface VolumeDirectories {
  readonly top: string;
  readonly trash: string;
  /** Content that is being made, by the id of the volume that is to have it: a volume appears whole. */
  readonly incoming: string;
  /** Whom new volumes belong to: the root of containers, where these have user namespaces. Undefined: root. */
  readonly newOwner?: HostOwner | undefined;
}

export interface HostOwner {
  readonly uid: number;
  readonly gid: number;
}

const DATA = "_data";

export function volumeDirectories(root: string, newOwner?: HostOwner): VolumeDirectories {
  const top = join(root, "volumes");
  return { top, trash: join(top, ".trash"), incoming: join(top, ".incoming"), newOwner };
}

export function directoryOf(directories: VolumeDirectories, volume: { readonly name: string }): string {
  return join(directories.top, volume.name);
}

export function dataOf(directories: VolumeDirectories, volume: { readonly name: string }): string {
  return join(directoryOf(directories, volume), DATA);
}

export function trashOf(directories: VolumeDirectories, volume: { readonly id: string }): string {
  return join(directories.trash, volume.id);
}

export function incomingOf(directories: VolumeDirectories, volume: { readonly id: string }): string {
  return join(directories.incoming, volume.id);
}

export async function makeTopDirectories(directories: VolumeDirectories): Promise<void> {
  await mkdir(directories.top, { recursive: true, mode: 0o701 });
  await mkdir(directories.trash, { recursive: true, mode: 0o700 });
  await mkdir(directories.incoming, { recursive: true, mode: 0o700 });
}

/** How a directory came to be there: it was, it was made beforehand, it is back from the trash, it is new and empty. */
export type DirectoryOrigin = "there" | "incoming" | "restored" | "made";

/**
 * The volume's directory is there afterwards. What a removal that was rolled back had put into the trash comes back.
 * Throws RESOURCE_EXHAUSTED VOLUME_DIRECTORY_REFUSED: the disk is full, or read-only.
 */
export async function ensureDirectory(
  directories: VolumeDirectories,
  volume: Pick<DriverVolume, "id" | "name">,
): Promise<DirectoryOrigin> {
  if (hasData(await contentsOf(directories, volume))) return "there";
  if (await moved(incomingOf(directories, volume), directoryOf(directories, volume))) return "incoming";
  if (await moved(trashOf(directories, volume), directoryOf(directories, volume))) return "restored";
  await makeDirectories(directoryOf(directories, volume), directories);
  return "made";
}

/** A directory for the content of a volume to come; answers where its data goes. */
export async function makeIncoming(directories: VolumeDirectories, volume: { readonly id: string }): Promise<string> {
  return makeDirectories(incomingOf(directories, volume), directories);
}

async function makeDirectories(directory: string, { newOwner }: VolumeDirectories): Promise<string> {
  const data = join(directory, DATA);
  try {
    // a container's user passes through, and reads the names in the volume: Docker's modes
    await mkdir(directory, { mode: 0o701 }).catch(unlessThere);
    await mkdir(data, { mode: 0o755 }).catch(unlessThere);
    if (newOwner !== undefined) await chown(data, newOwner.uid, newOwner.gid);
    return data;
  } catch (error) {
    throw directoryRefused(data, error);
  }
}

/** False: it was not there. */
export async function moveToTrash(directories: VolumeDirectories, volume: DriverVolume): Promise<boolean> {
  return moved(directoryOf(directories, volume), trashOf(directories, volume));
}

/** Ids of the volumes in the trash. */
export async function trashedIds(directories: VolumeDirectories): Promise<string[]> {
  return readdir(directories.trash);
}

/** Ids of the volumes whose content is being made, or was when somebody was killed. */
export async function incomingIds(directories: VolumeDirectories): Promise<string[]> {
  return readdir(directories.incoming);
}

/** What is in each directory that holds a volume's data. */
export async function allContents(directories: VolumeDirectories): Promise<Map<VolumeName, string[]>> {
  const found = new Map<VolumeName, string[]>();
  for (const name of (await readdir(directories.top)).filter(isVolumeName)) {
    const contents = await contentsOf(directories, { name });
    if (hasData(contents)) found.set(name, contents);
  }
  return found;
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * The names in a volume's directory: its data, and what copy-ups left. From the directory alone: a stat of the data would
 * wait for the server of a volume that is mounted there.
 */
export async function contentsOf(directories: VolumeDirectories, volume: { readonly name: string }): Promise<string[]> {
  try {
    return await readdir(directoryOf(directories, volume));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

/** The volume's directory is whole. */
export function hasData(contents: readonly string[]): boolean {
  return contents.includes(DATA);
}

function unlessThere(error: unknown): void {
  if (!hasErrno(error, "EEXIST")) throw error;
}

function directoryRefused(path: string, cause: unknown): unknown {
  if (errnoOf(cause) === "") return cause;
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "VOLUME_DIRECTORY_REFUSED",
    what: `make the volume's directory ${path}`,
    why: `the host says ${errnoOf(cause)}`,
    fix: "make space on that disk (ctl system prune), or look at the host's log",
    cause,
  });
}
