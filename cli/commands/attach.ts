import { AttachOpen, ContainersService, InspectContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { followWithSignals } from "../attach/follow.ts";
import { Session } from "../attach/session.ts";
import { attachStream, exitStatusOf } from "../attach/streams.ts";
import { command } from "../grammar/command.ts";
import { parsed, toggle } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import { DEFAULT_DETACH_KEYS, parseDetachKeys } from "../values/detach-keys.ts";

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
  async run({ flags, args: [ref = ""] }, { daemon, stdout, stderr }) {
    const inspected = await daemon.unary(
      ContainersService.inspectContainer,
      InspectContainerRequest.fromPartial({ ref }),
    );
    const spec = inspected.container?.spec;
    const stdin = !flags["no-stdin"] && spec?.openStdin === true;
    const tty = stdin && spec?.tty === true;
    if (tty) await (await import("../terminal/terminal.ts")).requireTerminal(`attach to "${ref}"`);
    const open = AttachOpen.fromPartial({ ref, stdin, stdout: true, stderr: true });
    const session = new Session({
      open: (position) => attachStream(daemon, position === undefined ? open : { ...open, position }),
      stdout,
      stderr,
      mayReopen: isGone,
      exitStatus: () => exitStatusOf(daemon, ref),
    });
    await Promise.race([session.ready, session.ended]);
    // a shell draws its prompt anew when the size changes, and only then
    if (tty) await session.send({ $case: "resize", value: await otherSize() });
    const detachKeys = flags["detach-keys"] ?? DEFAULT_DETACH_KEYS;
    const exit = await followWithSignals(session, { stdin, tty, detachKeys, passesSignals: flags["sig-proxy"] });
    return exit === "detached" ? 0 : exit.exitCode;
  },
});

async function otherSize(): Promise<{ rows: number; columns: number }> {
  const { rows, columns } = (await import("../terminal/terminal.ts")).terminalSize();
  return { rows: rows + 1, columns };
}
