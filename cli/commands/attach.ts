import { AttachOpen, ContainersService, InspectContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { followWithSignals } from "../attach/follow.ts";
import { Session } from "../attach/session.ts";
import { attachStream, exitStatusOf } from "../attach/streams.ts";
import { command } from "../grammar/command.ts";
import { parsed, toggle } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import { detachKeysOf } from "../terminal/detach-keys.ts";
import { terminalFor } from "../terminal/terminal-for.ts";
import { parseDetachKeys } from "../values/detach-keys.ts";

export const attach = command({
  summary: "Attach to a running container's input and output",
  usage: "[OPTIONS] CONTAINER",
  flags: {
    "detach-keys": parsed({ help: "Keys that leave it running (default ctrl-p,ctrl-q)" }, parseDetachKeys),
    "no-stdin": toggle({ help: "Do not attach standard input" }),
    "sig-proxy": toggle({ initial: true, help: "Pass signals on to the process" }),
  },
  least: 1,
  most: 1,
  async run({ flags, args: [ref = ""] }, { daemon, stdout, stderr, env }) {
    const inspected = await daemon.unary(
      ContainersService.inspectContainer,
      InspectContainerRequest.fromPartial({ ref }),
    );
    const spec = inspected.container?.spec;
    const stdin = !flags["no-stdin"] && spec?.openStdin === true;
    const tty = spec?.tty === true;
    using terminal = await terminalFor(tty, stdin, `attach to "${ref}"`);
    if (stdin) terminal?.makeRaw();
    const open = AttachOpen.fromPartial({ ref, stdin, stdout: true, stderr: true });
    const session = new Session({
      open: (position) => attachStream(daemon, position === undefined ? open : { ...open, position }),
      stdout,
      stderr,
      mayReopen: isGone,
      exitStatus: () => exitStatusOf(daemon, ref),
    });
    const begin = async () => {
      await Promise.race([session.ready, session.ended]);
      // a shell draws its prompt anew when the size changes, and only then
      const size = terminal?.size;
      if (size !== undefined) await session.send({ $case: "resize", value: { ...size, rows: size.rows + 1 } });
    };
    const detachKeys = detachKeysOf(flags["detach-keys"], env);
    const exit = await followWithSignals(session, begin(), {
      stdin,
      terminal,
      detachKeys,
      passesSignals: flags["sig-proxy"],
    });
    return exit === "detached" ? 0 : exit.exitCode;
  },
});
