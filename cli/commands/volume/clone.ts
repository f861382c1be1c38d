import { CloneVolumeRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { command } from "../../grammar/command.ts";
import { parsedList } from "../../grammar/flags.ts";
import { parseLabel, toMap } from "../../values/key-value.ts";

export const cloneVolume = command({
  summary: "Make a new volume with the content of another one",
  usage: "[OPTIONS] VOLUME NEW_VOLUME",
  flags: { label: parsedList({ help: "A label, KEY=VALUE, beside the other volume's own" }, parseLabel) },
  least: 2,
  most: 2,
  async run({ flags, args: [ref = "", name = ""] }, { daemon, stdout }) {
    const request = CloneVolumeRequest.fromPartial({ ref, name, labels: toMap(flags.label) });
    const { volume } = await daemon.unary(VolumesService.cloneVolume, request);
    stdout.text(`${volume?.name ?? name}\n`);
    return 0;
  },
});
