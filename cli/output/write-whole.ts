import { open, rename, rm, stat } from "node:fs/promises";
import { CtlError } from "../../services/kit/errors.ts";

/** A file that is there is replaced only by one that is whole; a device or FIFO is written to. */
export async function writeWhole(path: string, chunks: AsyncIterable<{ readonly data: Uint8Array }>): Promise<void> {
  const present = await stat(path).catch(() => undefined);
  if (present?.isFile() === false && !present.isDirectory()) {
    await using device = await open(path, "w");
    for await (const { data } of chunks) await device.writeFile(data);
    return;
  }
  const partial = `${path}.${process.pid}.tmp`;
  try {
    await using file = await open(partial, "wx").catch((cause: Error) => {
      throw unwritable(path, cause);
    });
    for await (const { data } of chunks) await file.writeFile(data);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await rename(partial, path).catch(async (cause: Error) => {
    await rm(partial, { force: true });
    throw unwritable(path, cause);
  });
}

function unwritable(path: string, cause: Error): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "OUTPUT_UNWRITABLE",
    what: `write to ${path}`,
    why: cause.message,
    fix: "choose another -o FILE",
    cause,
  });
}

/** `what` completes "cannot ". */
export function outputIsTerminal(what: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "OUTPUT_IS_TERMINAL",
    what,
    why: "cowardly refusing to save to a terminal",
    fix: "use -o FILE or redirect",
  });
}
