import { createReadStream, openSync } from "node:fs";
import { RestoreVolumeRequest, VolumesService } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../../services/kit/errors.ts";
import { sendStream } from "../../copy/send-stream.ts";
import { command } from "../../grammar/command.ts";
import { parsedList, text, toggle } from "../../grammar/flags.ts";
import { parseLabel, toMap } from "../../values/key-value.ts";

export const restoreVolume = command({
  summary: "Make a volume of a tar, as volume backup writes them: plain, gzip or zstd",
  usage: "[OPTIONS] VOLUME",
  flags: {
    devices: toggle({ help: "Also make the archive's device nodes: whoever may open one has the device" }),
    force: toggle({ short: "f", help: "Replace what is in the volume" }),
    input: text({ short: "i", help: "Read from this file; - is standard input (default)" }),
    label: parsedList({ help: "A label of a new volume, KEY=VALUE" }, parseLabel),
  },
  least: 1,
  most: 1,
  async run({ flags, args: [name = ""] }, { daemon, stdout }) {
    const { input = "-", force, devices: withDevices } = flags;
    if (input === "-" && process.stdin.isTTY) throw inputIsTerminal();
    const source = input === "-" ? process.stdin : fileSource(input);
    const call = await daemon.open(VolumesService.restoreVolume);
    const open = { name, force, withDevices, labels: toMap(flags.label) };
    const first = RestoreVolumeRequest.fromPartial({ part: { $case: "open", value: open } });
    const chunks = readable(source, input);
    const { answer } = await sendStream(call, first, chunks, (value) => ({ part: { $case: "data" as const, value } }));
    stdout.text(`${answer?.volume?.name ?? name}\n`);
    return 0;
  },
});

/** Opened before the call is: a stream that fails before it is read tells nobody whom we can answer. */
function fileSource(input: string): AsyncIterable<Uint8Array> {
  try {
    return createReadStream("", { fd: openSync(input, "r"), highWaterMark: 256 << 10 });
  } catch (cause) {
    throw unreadable(input, cause);
  }
}

async function* readable(source: AsyncIterable<Uint8Array>, input: string): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (cause) {
    throw unreadable(input, cause);
  }
}

function unreadable(input: string, cause: unknown): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "INPUT_UNREADABLE",
    what: `read ${input}`,
    why: cause instanceof Error ? cause.message : String(cause),
    fix: "choose another -i FILE",
    cause,
  });
}

function inputIsTerminal(): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "INPUT_IS_TERMINAL",
    what: "restore the volume",
    why: "a terminal has no archive",
    fix: "use -i FILE or redirect",
  });
}
