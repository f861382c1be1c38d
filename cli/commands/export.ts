import { ContainersService, ExportContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { command } from "../grammar/command.ts";
import { text } from "../grammar/flags.ts";
import { outputIsTerminal, writeWhole } from "../output/write-whole.ts";

export const exportContainer = command({
  summary: "Write a container's file system as a tar, without its volumes",
  usage: "[OPTIONS] CONTAINER",
  flags: { output: text({ short: "o", help: "Write to this file and not to standard output" }) },
  least: 1,
  most: 1,
  async run({ flags: { output }, args: [ref = ""] }, { daemon, stdout }) {
    if (output === undefined && (await stdout.isTerminal())) throw outputIsTerminal("export the container");
    const chunks = daemon.stream(ContainersService.exportContainer, ExportContainerRequest.fromPartial({ ref }));
    if (output !== undefined) await writeWhole(output, chunks);
    else for await (const { data } of chunks) await stdout.stream(data);
    return 0;
  },
});
