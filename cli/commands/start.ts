import { AttachOpen, ContainersService, InspectContainerRequest } from "#proto/ctl/containers/v1/containers.ts";
import { GatewayService, StartContainerRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { followWithSignals } from "../attach/follow.ts";
import { Session } from "../attach/session.ts";
import { attachStream, exitStatusOf } from "../attach/streams.ts";
import type { Context } from "../context.ts";
import { eachArgument } from "../each-argument.ts";
import { command } from "../grammar/command.ts";
import { parsed, toggle } from "../grammar/flags.ts";
import { isGone } from "../grpc/call.ts";
import { showWarnings } from "../run/order.ts";
import { detachKeysOf } from "../terminal/detach-keys.ts";
import { terminalFor } from "../terminal/terminal-for.ts";
import { parseDetachKeys } from "../values/detach-keys.ts";

export const start = command({
  summary: "Start one or more stopped containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    attach: toggle({ short: "a", help: "Attach to its output and pass signals on" }),
    "detach-keys": parsed({ help: "Keys that leave it running (default ctrl-p,ctrl-q)" }, parseDetachKeys),
    interactive: toggle({ short: "i", help: "Attach its input" }),
  },
  least: 1,
  async run({ flags, args }, context) {
    if (!flags.attach && !flags.interactive) return eachArgument(args, context, (ref) => startOne(ref, context));
    const [ref = "", ...others] = args;
    if (others.length > 0) throw tooMany();
    return startAttached(ref, flags.interactive, detachKeysOf(flags["detach-keys"], context.env), context);
  },
});

async function startOne(ref: string, context: Context): Promise<string> {
  const answer = await context.daemon.unary(GatewayService.startContainer, StartContainerRequest.fromPartial({ ref }));
  showWarnings(answer.warnings, context);
  return ref;
}

async function startAttached(ref: string, wantsStdin: boolean, detachKeys: Buffer, context: Context): Promise<number> {
  const { daemon, stdout, stderr } = context;
  const inspected = await daemon.unary(
    ContainersService.inspectContainer,
    InspectContainerRequest.fromPartial({ ref }),
  );
  const { spec, id } = inspected.container ?? { spec: undefined, id: ref };
  const stdin = wantsStdin && spec?.openStdin === true;
  const tty = spec?.tty === true;
  using terminal = await terminalFor(tty, stdin, `start "${ref}" attached`);
  const size = terminal?.size;
  let hasStarted = false;
  const outputSeen = Promise.withResolvers<void>();
  const sized = size === undefined ? {} : { size };
  const open = AttachOpen.fromPartial({ ref: id, stdin, stdout: true, stderr: true, ...sized });
  const session = new Session({
    open: (position) =>
      attachStream(daemon, { ...open, awaitStart: !hasStarted, ...(position === undefined ? {} : { position }) }),
    stdout,
    stderr,
    onOutput: outputSeen.resolve,
    mayReopen: isGone,
    exitStatus: () => exitStatusOf(daemon, id),
  });
  const begin = async () => {
    await session.ready;
    if (stdin) terminal?.makeRaw();
    await startOne(id, context);
    hasStarted = true;
  };
  const started = begin();
  started.catch(() => {}); // told once it is waited for
  // its output may come before the daemon has said that it runs
  const begun = Promise.race([started, outputSeen.promise]);
  const exit = await followWithSignals(session, begun, { stdin, terminal, detachKeys, passesSignals: true });
  await started;
  return exit === "detached" ? 0 : exit.exitCode;
}

function tooMany(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "ATTACH_TO_ONE",
    what: "start containers attached",
    why: "you cannot start and attach multiple containers at once",
    fix: "start them without -a and -i, or one by one",
  });
}
