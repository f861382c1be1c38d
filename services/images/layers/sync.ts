import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { CtlError } from "../../kit/errors.ts";
import { loadLibc } from "../../kit/linux/libc.ts";

/**
 * Everything on the file system of `directory` to its disk: once before the rows of a pull's layers are committed,
 * not once a layer. syncfs(2) on libuv's pool; takes as long as the disk does. Throws DATA_LOSS SYNC_FAILED.
 */
export async function syncLayers(directory: string): Promise<void> {
  await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const syncfs = loadLibc().func("int syncfs(int)");
  const result = await promisify<number, number>((fd, done) => syncfs.async(fd, done))(handle.fd);
  if (result === 0) return;
  throw new CtlError("DATA_LOSS", {
    reason: "SYNC_FAILED",
    what: `write ${directory} to its disk`,
    why: "the kernel reports that data was lost on the way",
    fix: "look at the kernel's log for errors of this disk",
  });
}
