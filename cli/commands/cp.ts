import { CtlError } from "../../services/kit/errors.ts";
import { copyFromContainer } from "../copy/from-container.ts";
import { parsePlace } from "../copy/place.ts";
import { copyToContainer } from "../copy/to-container.ts";
import { command } from "../grammar/command.ts";
import { toggle } from "../grammar/flags.ts";
import { humanSize } from "../output/human.ts";

export const cp = command({
  summary: "Copy files between a container and this machine; - is a tar on standard input or output",
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  flags: {
    archive: toggle({ short: "a", help: "Keep user and group of what is copied from the container" }),
    "follow-link": toggle({ short: "L", help: "Copy what a symlink in SRC_PATH leads to" }),
    quiet: toggle({ short: "q", help: "Say nothing when it is done" }),
  },
  least: 2,
  most: 2,
  async run({ flags, args: [from = "", to = ""] }, context) {
    if (from === "") throw invalid("source can not be empty");
    if (to === "") throw invalid("destination can not be empty");
    const [source, destination] = [parsePlace(from), parsePlace(to)];
    const wish = { keepsOwners: flags.archive, followLink: flags["follow-link"] };
    if (source.kind === "container" && destination.kind === "container") {
      throw invalid("copying between containers is not supported");
    }
    if (source.kind === "local" && destination.kind === "local") {
      throw invalid("must specify at least one container source");
    }
    const copied =
      source.kind === "container"
        ? await copyFromContainer(source, to, wish, context)
        : destination.kind === "container" && (await copyToContainer(from, destination, wish.followLink, context));
    if (copied === false || flags.quiet || copied.to === "-") return 0;
    context.stderr.text(`Successfully copied ${humanSize(copied.bytes)} to ${copied.to}\n`);
    return 0;
  },
});

function invalid(why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "COPY_PLACES",
    what: "copy",
    why,
    fix: "name one path of a container, CONTAINER:PATH, and one of this machine",
  });
}
