import { close, constants, fstat, open, read } from "node:fs";
import { promisify } from "node:util";
import { isErrno } from "../../kit/linux/libc.ts";
import { bindOpenat2, OpenFlag, Resolve } from "../../kit/linux/openat2.ts";

const MAX_BYTES = 1 << 20;

/** Small files of a container's root file system. */
export interface RootFiles {
  /** A regular file's text, its first MiB; empty when there is no such file. */
  read(path: string): Promise<string>;
}

const openAsync = promisify(open);
const closeAsync = promisify(close);
const fstatAsync = promisify(fstat);
const readAsync = promisify(read);

/**
 * Reads below a root that somebody hostile may have filled: a symlink in it leads nowhere else than to what the
 * container itself would see there, and a FIFO or device is never waited for.
 */
export function rootFiles(rootfsPath: string): RootFiles {
  const openat2 = bindOpenat2();
  return {
    read: async (path) => {
      const root = await openAsync(rootfsPath, constants.O_DIRECTORY | constants.O_RDONLY);
      try {
        return await readRegular(
          openat2(root, path, {
            flags: OpenFlag.readOnly | OpenFlag.nonBlocking,
            resolve: Resolve.inRoot | Resolve.noMagicLinks,
          }),
        );
      } catch (error) {
        if (isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EACCES", "ENXIO")) return "";
        throw error;
      } finally {
        await closeAsync(root);
      }
    },
  };
}

async function readRegular(fd: number): Promise<string> {
  try {
    const stat = await fstatAsync(fd);
    if (!stat.isFile()) return "";
    const buffer = Buffer.alloc(Math.min(stat.size, MAX_BYTES));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await readAsync(fd, buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.toString("utf8", 0, length);
  } finally {
    await closeAsync(fd);
  }
}
