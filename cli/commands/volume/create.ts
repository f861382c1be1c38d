import { CreateVolumeRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { command } from "../../grammar/command.ts";
import { parsedList, text } from "../../grammar/flags.ts";
import { parseKeyValue, parseLabel, toMap } from "../../values/key-value.ts";

export const createVolume = command({
  summary: "Create a volume",
  usage: "[OPTIONS] [VOLUME]",
  flags: {
    driver: text({ short: "d", help: "What keeps it (default local)" }),
    label: parsedList({ help: "A label, KEY=VALUE" }, parseLabel),
    opt: parsedList({ short: "o", value: "map", help: "An option of the driver, KEY=VALUE" }, parseKeyValue),
  },
  least: 0,
  most: 1,
  async run({ flags, args: [name = ""] }, { daemon, stdout }) {
    const request = CreateVolumeRequest.fromPartial({
      name,
      driver: flags.driver ?? "local",
      labels: toMap(flags.label),
      options: toMap(flags.opt),
    });
    const { volume } = await daemon.unary(VolumesService.createVolume, request);
    stdout.text(`${volume?.name ?? name}\n`);
    return 0;
  },
});
