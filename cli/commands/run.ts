import { buildSpec } from "../container-spec/build.ts";
import { containerFlags } from "../container-spec/flags.ts";
import { command } from "../grammar/command.ts";
import { parsed, toggle } from "../grammar/flags.ts";
import { requireFreeCidfile } from "../run/cidfile.ts";
import { runDetached } from "../run/detached.ts";
import { runInForeground } from "../run/foreground.ts";
import { detachKeysOf } from "../terminal/detach-keys.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../values/detach-keys.ts";

export const run = command({
  summary: "Create and run a new container from an image",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: {
    ...containerFlags,
    detach: toggle({ short: "d", help: "Leave it in the background and print its id" }),
    "detach-keys": parsed({ help: "Keys that leave it running (default ctrl-p,ctrl-q)" }, parseDetachKeys),
    "sig-proxy": toggle({ initial: true, help: "Pass signals on to the process" }),
  },
  least: 1,
  stopsAtArgument: true,
  async run({ flags, args: [image = "", ...words] }, context) {
    const wish = { flags, image, command: words, env: context.env, isDetached: flags.detach };
    const spec = buildSpec(wish);
    requireFreeCidfile(flags.cidfile);
    const order = { spec, pull: flags.pull, isQuiet: flags.quiet, cidfile: flags.cidfile };
    if (flags.detach) return runDetached(order, context);
    const keys = flags["detach-keys"];
    const detachKeys = spec.tty ? detachKeysOf(keys, context.env) : DEFAULT_DETACH_KEYS;
    return runInForeground({ ...order, passesSignals: flags["sig-proxy"], detachKeys }, context);
  },
});
