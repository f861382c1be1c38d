import { ContainersService, ReadArchiveRequest } from "#proto/ctl/containers/v1/containers.ts";
import { TarReader } from "../../services/kit/tar/reader.ts";
import type { Context } from "../context.ts";
import { absolute, localDestination } from "./local-place.ts";
import { LocalUnpacker } from "./local-unpack.ts";
import { type Place, planCopy, refused } from "./place.ts";

const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

export interface CopyWish {
  readonly keepsOwners: boolean;
  readonly followLink: boolean;
}

/** Copies out of a container; answers the archive's bytes and where they went. */
export async function copyFromContainer(
  { ref, path }: Extract<Place, { kind: "container" }>,
  destination: string,
  wish: CopyWish,
  { daemon, stdout }: Context,
): Promise<{ readonly bytes: number; readonly to: string }> {
  const request = ReadArchiveRequest.fromPartial({ ref, path, followLink: wish.followLink });
  const to = destination === "-" ? "-" : absolute(destination);
  let bytes = 0;
  let unpacker: LocalUnpacker | undefined;
  let reader: TarReader | undefined;
  try {
    for await (const { part } of daemon.stream(ContainersService.readArchive, request)) {
      if (part?.$case === "stat" && to !== "-") {
        const source = { path, isDirectory: (part.value.mode & S_IFMT) === S_IFDIR };
        const plan = planCopy(source, await localDestination(`${ref}:${path}`, to));
        unpacker = new LocalUnpacker(plan, wish.keepsOwners);
        reader = new TarReader(unpacker);
      } else if (part?.$case === "data") {
        bytes += part.value.length;
        if (to === "-") await stdout.stream(part.value);
        else reader?.push(Buffer.from(part.value));
      }
    }
    reader?.finish();
    unpacker?.finish();
  } catch (error) {
    throw refusalOf(error, `${ref}:${path}`, to);
  } finally {
    unpacker?.[Symbol.dispose]();
  }
  return { bytes, to };
}

/** What this machine's file system says no to is no bug of ours. */
function refusalOf(error: unknown, source: string, destination: string): unknown {
  if (!(error instanceof Error) || !("syscall" in error) || error.syscall === "write") return error;
  return refused(source, destination, error.message);
}
