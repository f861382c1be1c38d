import { BackupVolumeRequest, GatewayService } from "#proto/ctl/gateway/v1/gateway.ts";
import { command } from "../../grammar/command.ts";
import { text, toggle } from "../../grammar/flags.ts";
import { outputIsTerminal, writeWhole } from "../../output/write-whole.ts";

export const backupVolume = command({
  summary: "Write a volume's content as a tar, compressed with zstd",
  usage: "[OPTIONS] VOLUME",
  flags: {
    output: text({ short: "o", help: "Write to this file; - is standard output (default)" }),
    pause: toggle({ help: "Pause the containers that use it meanwhile" }),
  },
  least: 1,
  most: 1,
  async run({ flags: { output = "-", pause }, args: [ref = ""] }, { daemon, stdout }) {
    if (output === "-" && (await stdout.isTerminal())) throw outputIsTerminal("back up the volume");
    const chunks = daemon.stream(GatewayService.backupVolume, BackupVolumeRequest.fromPartial({ ref, pause }));
    if (output !== "-") await writeWhole(output, chunks);
    else for await (const { data } of chunks) await stdout.stream(data);
    return 0;
  },
});
