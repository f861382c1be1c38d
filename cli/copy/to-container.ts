import {
  ContainersService,
  type PathStat,
  StatPathRequest,
  WriteArchiveRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import type { Context } from "../context.ts";
import type { Daemon } from "../daemon.ts";
import { localArchive } from "./local-archive.ts";
import { absolute, localSource } from "./local-place.ts";
import { type Destination, type Place, planCopy, refused } from "./place.ts";
import { sendStream } from "./send-stream.ts";

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;

/** Copies into a container; answers the archive's bytes and where they went. */
export async function copyToContainer(
  source: string,
  { ref, path }: Extract<Place, { kind: "container" }>,
  followLink: boolean,
  { daemon }: Context,
): Promise<{ readonly bytes: number; readonly to: string }> {
  const destination = await containerDestination(daemon, ref, path);
  if (source === "-") {
    if (!destination.isDirectory) throw refused("-", `${ref}:${path}`, "the destination must be a directory");
    const bytes = await send(daemon, ref, destination.path, process.stdin as AsyncIterable<Uint8Array>);
    return { bytes, to: `${ref}:${destination.path}` };
  }
  const { real, ...found } = await localSource(absolute(source), followLink);
  const plan = planCopy(found, destination);
  const bytes = await send(daemon, ref, plan.directory, localArchive(real, plan.to));
  return { bytes, to: `${ref}:${destination.path}` };
}

/** A symlink is followed; what is not there may be a new name in a directory that is. */
async function containerDestination(daemon: Daemon, ref: string, path: string): Promise<Destination> {
  const first = await statOf(daemon, ref, path);
  const isLink = first !== undefined && (first.mode & S_IFMT) === S_IFLNK;
  const place = isLink ? first.linkTarget : path;
  const found = isLink ? await statOf(daemon, ref, place) : first;
  const type = (found?.mode ?? S_IFREG) & S_IFMT;
  if (type !== S_IFREG && type !== S_IFDIR) {
    throw refused("-", `${ref}:${path}`, "the destination must be a directory or a regular file");
  }
  return { path: place, exists: found !== undefined, isDirectory: type === S_IFDIR };
}

async function statOf(daemon: Daemon, ref: string, path: string): Promise<PathStat | undefined> {
  try {
    return (await daemon.unary(ContainersService.statPath, StatPathRequest.fromPartial({ ref, path }))).stat;
  } catch (error) {
    if (isCtlError(error) && error.reason === "CONTAINER_PATH_NOT_FOUND") return undefined;
    throw error;
  }
}

async function send(daemon: Daemon, ref: string, path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const call = await daemon.open(ContainersService.writeArchive);
  const open = { ref, path, noOverwriteDirNonDir: true, copyUidGid: false };
  const first = WriteArchiveRequest.fromPartial({ part: { $case: "open", value: open } });
  const sent = await sendStream(call, first, chunks, (value) => ({ part: { $case: "data" as const, value } }));
  return sent.bytes;
}
