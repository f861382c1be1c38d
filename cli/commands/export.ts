import { open, rename, rm, stat } from "node:fs/promises";
import { ContainersService, ExportContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { command } from "../grammar/command.ts";
import { text } from "../grammar/flags.ts";

export const exportContainer = command({
  summary: "Write a container's file system as a tar, without its volumes",
  usage: "[OPTIONS] CONTAINER",
  flags: { output: text({ short: "o", help: "Write to this file and not to standard output" }) },
  least: 1,
  most: 1,
  async run({ flags: { output }, args: [ref = ""] }, { daemon, stdout }) {
    if (output === undefined && (await stdout.isTerminal())) throw intoTerminal();
    const chunks = daemon.stream(ContainersService.exportContainer, ExportContainerRequest.fromPartial({ ref }));
    if (output !== undefined) await writeWhole(output, chunks);
    else for await (const { data } of chunks) await stdout.stream(data);
    return 0;
  },
});

/** A file that is there is replaced only by one that is whole; a device or FIFO is written to. */
async function writeWhole(path: string, chunks: AsyncIterable<{ readonly data: Uint8Array }>): Promise<void> {
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

function intoTerminal(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "OUTPUT_IS_TERMINAL",
    what: "export the container",
    why: "cowardly refusing to save to a terminal",
    fix: "use -o FILE or redirect",
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
