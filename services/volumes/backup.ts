import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createZstdCompress } from "node:zlib";
import { within } from "../kit/deadlines.ts";
import { holdVolume } from "./content/hold.ts";
import type { Deps } from "./deps.ts";

/** The caller's own deadline may be shorter. */
const BACKUP_TIMEOUT_MS = 24 * 3_600_000;
const CHUNK_BYTES = 256 << 10;

/**
 * A volume's content as a tar with zstd, as `tar --zstd --xattrs -x` reads it: owners, modes, times to the nanosecond,
 * extended attributes, hard links and holes; without sockets and what is mounted inside. It cannot be removed meanwhile.
 * Leaving the iteration early, or the signal, ends it. Throws NOT_FOUND VOLUME_NOT_FOUND, INVALID_ARGUMENT
 * VOLUME_PATH_REFUSED.
 */
export async function* backupVolume(
  { name, id }: { readonly name: string; readonly id: string | undefined },
  deps: Deps,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const patience = within(signal, BACKUP_TIMEOUT_MS, `back up volume "${name}"`);
  await using held = await holdVolume({ name, purpose: "backup", ...(id === undefined ? {} : { id }) }, deps, patience);
  const archive = Readable.from(packed(held.path, deps, held.signal), { objectMode: false });
  const compress = createZstdCompress({ chunkSize: CHUNK_BYTES });
  const piped = pipeline(archive, compress);
  piped.catch(() => {}); // the same error ends the loop below
  try {
    for await (const chunk of compress) yield chunk;
  } finally {
    compress.destroy();
    await piped.catch(() => {}); // the thread has let go of the volume
  }
}

async function* packed(path: string, { archives, userMapping }: Deps, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of archives.run({ kind: "pack", path, userMapping }, undefined, signal)) yield bytes;
}
