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

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
/** Headers are small: sent one by one they would cost a message each. */
const MESSAGE_BYTES = 256 << 10;

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
  await call.send(WriteArchiveRequest.fromPartial({ part: { $case: "open", value: open } }));
  const messages = batched(chunks);
  const refused = call.ended.then(() => undefined);
  let bytes = 0;
  try {
    // a source that waits for somebody to type does not keep a call that has ended
    for (let next = await Promise.race([messages.next(), refused]); next?.done === false; ) {
      bytes += next.value.length;
      await call.send({ part: { $case: "data", value: next.value } });
      next = await Promise.race([messages.next(), refused]);
    }
    await call.closeSend();
    for await (const _ of call);
  } finally {
    call.cancel();
  }
  return bytes;
}

async function* batched(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let batch: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    batch.push(chunk);
    size += chunk.length;
    if (size < MESSAGE_BYTES) continue;
    yield Buffer.concat(batch);
    [batch, size] = [[], 0];
  }
  if (size > 0) yield Buffer.concat(batch);
}
