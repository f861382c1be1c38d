import { ExecOpen, ExecSpec } from "#proto/ctl/containers/v1/containers.ts";
import { followWithSignals } from "../attach/follow.ts";
import { Session } from "../attach/session.ts";
import { execStream } from "../attach/streams.ts";
import type { Context } from "../context.ts";
import { command } from "../grammar/command.ts";
import { list, parsed, text, toggle } from "../grammar/flags.ts";
import { readTextFile } from "../read-file.ts";
import { detachKeysOf } from "../terminal/detach-keys.ts";
import { terminalFor } from "../terminal/terminal-for.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../values/detach-keys.ts";
import { parseEnvFile, resolveVariable } from "../values/environment.ts";

export const exec = command({
  summary: "Execute a command in a running container",
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags: {
    detach: toggle({ short: "d", help: "Leave it in the background" }),
    "detach-keys": parsed({ help: "Keys that leave it running (default ctrl-p,ctrl-q)" }, parseDetachKeys),
    env: list({ short: "e", help: "An environment variable, NAME=value, or NAME: as it is here" }),
    "env-file": list({ help: "A file of environment variables, one a line" }),
    interactive: toggle({ short: "i", help: "Keep standard input open" }),
    privileged: toggle({ help: "All capabilities" }),
    "sig-proxy": toggle({ initial: true, help: "Pass signals on to the process" }),
    tty: toggle({ short: "t", help: "Give it a terminal" }),
    user: text({ short: "u", help: "Who it runs as: name or uid, with :group or :gid" }),
    workdir: text({ short: "w", help: "Working directory in the container" }),
  },
  least: 2,
  stopsAtArgument: true,
  async run({ flags, args: [ref = "", ...words] }, context) {
    const fromFiles = flags["env-file"].flatMap((path) =>
      parseEnvFile(readTextFile(path, "environment file"), context.env),
    );
    const spec = ExecSpec.fromPartial({
      command: words,
      env: [...fromFiles, ...flags.env.flatMap((variable) => resolveVariable(variable, context.env))],
      workingDir: flags.workdir ?? "",
      user: flags.user ?? "",
      tty: flags.tty,
      stdin: flags.interactive && !flags.detach,
      stdout: !flags.detach,
      stderr: !flags.detach,
      privileged: flags.privileged,
      detach: flags.detach,
    });
    if (flags.detach) return execDetached(ref, spec, context);
    const passesSignals = flags["sig-proxy"];
    return execInForeground(ref, spec, { keys: flags["detach-keys"], passesSignals }, context);
  },
});

async function execDetached(ref: string, spec: ExecSpec, { daemon }: Context): Promise<number> {
  const stream = await execStream(
    daemon,
    ExecOpen.fromPartial({ ref, exec: { $case: "spec", value: spec }, detach: true }),
  );
  for await (const event of stream.events) if (event.$case === "started") break;
  return 0;
}

interface Manners {
  readonly keys: Buffer | undefined;
  readonly passesSignals: boolean;
}

async function execInForeground(ref: string, spec: ExecSpec, manners: Manners, context: Context): Promise<number> {
  const { daemon, stdout, stderr, env } = context;
  const { tty, stdin } = spec;
  using terminal = await terminalFor(tty, stdin, `execute a command in "${ref}" with a terminal`);
  const detachKeys = tty ? detachKeysOf(manners.keys, env) : DEFAULT_DETACH_KEYS;
  const size = terminal?.size;
  const open = { ref, exec: { $case: "spec" as const, value: spec }, ...(size === undefined ? {} : { size }) };
  // before it is executed, so that nothing that it writes first is shown wrongly
  if (stdin) terminal?.makeRaw();
  const session = new Session({
    open: () => execStream(daemon, ExecOpen.fromPartial(open)),
    stdout,
    stderr,
    // it ended with the stream that it was started by
    mayReopen: () => false,
    exitStatus: async () => undefined,
  });
  const exit = await followWithSignals(session, session.ready, {
    stdin,
    terminal,
    detachKeys,
    passesSignals: manners.passesSignals,
  });
  return exit === "detached" ? 0 : exit.exitCode;
}
