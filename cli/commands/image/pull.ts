import { ImagesService, PullRequest } from "#proto/ctl/images/v1/images.ts";
import { command } from "../../grammar/command.ts";
import { parsed, toggle } from "../../grammar/flags.ts";
import { openPullProgress } from "../../output/pull-progress.ts";
import { spokenReference } from "../../output/reference.ts";
import { parsePlatform } from "../../values/platform.ts";

export const pull = command({
  summary: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: {
    platform: parsed({ help: "Take the image for this platform: linux/arm64" }, parsePlatform),
    quiet: toggle({ short: "q", help: "Print the image's name only" }),
  },
  least: 1,
  most: 1,
  async run({ flags, args: [reference = ""] }, { daemon, stdout }) {
    const request = PullRequest.fromPartial({
      reference,
      ...(flags.platform === undefined ? {} : { platform: flags.platform }),
    });
    const { hasVersion, version, whole } = spokenReference(reference);
    if (!hasVersion && !flags.quiet) stdout.text(`Using default tag: ${version}\n`);
    const progress = flags.quiet ? undefined : await openPullProgress(stdout, { reference });
    for await (const answer of daemon.stream(ImagesService.pull, request)) progress?.show(answer);
    progress?.end();
    stdout.text(`${whole}\n`);
    return 0;
  },
});
