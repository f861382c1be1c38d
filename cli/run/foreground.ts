import {
  AttachOpen,
  ContainersService,
  WaitCondition,
  WaitContainerRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import type { TerminalSize } from "#proto/ctl/containers/v1/spec.ts";
import { GatewayService, RunRequest } from "#proto/ctl/gateway/v1/gateway.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import { follow } from "../attach/follow.ts";
import { Session } from "../attach/session.ts";
import { proxySignals } from "../attach/signals.ts";
import { attachStream, exitStatusOf } from "../attach/streams.ts";
import type { Context } from "../context.ts";
import { isGone } from "../grpc/call.ts";
import { reconnecting } from "../reconnect.ts";
import { terminalFor } from "../terminal/terminal-for.ts";
import { writeCidfile } from "./cidfile.ts";
import { type Order, pullPolicy, pullProgress, showWarnings } from "./order.ts";

export interface ForegroundOrder extends Order {
  readonly passesSignals: boolean;
  readonly detachKeys: Buffer;
}

/**
 * Runs it with our streams as its own; answers its exit code. With `--rm` this ends after the removal: the name, the
 * ports and the addresses are free again. Throws Interrupted.
 */
export async function runInForeground(order: ForegroundOrder, context: Context): Promise<number> {
  const { spec } = order;
  const hasStdin = spec.attach.includes("stdin");
  using terminal = await terminalFor(spec.tty, hasStdin, `run ${spec.image} with a terminal`);
  const run = openRun(order, context, {
    size: terminal?.size,
    beforeStart: () => {
      // so that nothing that it writes first is shown wrongly
      if (hasStdin) terminal?.makeRaw();
    },
  });
  using signals = order.passesSignals ? proxySignals() : undefined;
  const unlessInterrupted = <T>(work: Promise<T>) =>
    signals === undefined ? work : Promise.race([work, signals.interrupted]);
  const session = await unlessInterrupted(run.started);
  signals?.passTo(session);
  const followed = follow(session, { stdin: hasStdin, terminal, detachKeys: order.detachKeys });
  // a run that the daemon could not take to its end has no end for the session to tell
  const exit = await unlessInterrupted(Promise.race([followed, failureOf(run.finished)]));
  if (exit === "detached") return 0;
  await unlessInterrupted(run.finished);
  return exit.exitCode;
}

function failureOf(work: Promise<void>): Promise<never> {
  return work.then(() => new Promise<never>(() => {}));
}

interface ForegroundRun {
  /** It runs; the session has been listening since before it did. */
  readonly started: Promise<Session>;
  /** It runs, or with `--rm` it is gone. */
  readonly finished: Promise<void>;
}

interface Surroundings {
  /** Of our terminal, where the container gets one. */
  readonly size: TerminalSize | undefined;
  /** Called when all is ready but the start. */
  readonly beforeStart: () => void;
}

/**
 * The order's Run call. When the daemon goes away in the middle, the call is made again under the same operation: that
 * answers what became of the first one.
 */
function openRun(order: Order, context: Context, { size, beforeStart }: Surroundings): ForegroundRun {
  const { spec } = order;
  const started = Promise.withResolvers<Session>();
  const metadata = { "ctl-operation": crypto.randomUUID().replaceAll("-", "") };
  const progress = pullProgress(order, context);
  const open = { spec, pull: pullPolicy(order), isForeground: true };
  let session: Session | undefined;
  let id = "";
  let isRemoved = false;
  const attempt = async () => {
    const call = await context.daemon.open(GatewayService.run, { metadata });
    await call.send(RunRequest.fromPartial({ input: { $case: "open", value: open } }));
    for await (const { event } of call) {
      switch (event?.$case) {
        case "pull":
          await progress.show(event.value);
          break;
        case "created":
          progress.end();
          if (session === undefined) {
            id = event.value.id;
            showWarnings(event.value.warnings, context);
            writeCidfile(order.cidfile, id);
            const attached = attachTo(id, { ...order, size }, context, () => {
              // its output may come before the daemon has said so
              started.resolve(attached);
            });
            session = attached;
          }
          await session.ready;
          beforeStart();
          await call.send({ input: { $case: "attached", value: true } });
          break;
        case "started":
          showWarnings(event.value.warnings, context);
          if (session !== undefined) started.resolve(session);
          break;
        case "removed":
          isRemoved = true;
      }
    }
  };
  const finished = reconnecting(isGone, attempt).then(() =>
    spec.autoRemove && !isRemoved ? waitUntilRemoved(id, context) : undefined,
  );
  finished.catch(started.reject);
  return { started: started.promise, finished };
}

function attachTo(
  id: string,
  { spec, size }: Order & Pick<Surroundings, "size">,
  { daemon, stdout, stderr }: Context,
  onOutput: () => void,
): Session {
  const wants = (stream: string) => spec.attach.includes(stream);
  return new Session({
    open: (position) =>
      attachStream(
        daemon,
        AttachOpen.fromPartial({
          ref: id,
          stdin: wants("stdin"),
          stdout: wants("stdout"),
          stderr: wants("stderr"),
          awaitStart: true,
          afterRun: 0, // a container of its own: its first run is the one, whatever has become of it meanwhile
          ...(size === undefined ? {} : { size }),
          ...(position === undefined ? {} : { position }),
        }),
      ),
    stdout: wants("stdout") ? stdout : undefined,
    stderr: wants("stderr") ? stderr : undefined,
    onOutput,
    mayReopen: isGone,
    exitStatus: () => exitStatusOf(daemon, id),
  });
}

/** The call that would have told was lost. */
async function waitUntilRemoved(ref: string, { daemon }: Context): Promise<void> {
  try {
    const request = WaitContainerRequest.fromPartial({ ref, condition: WaitCondition.REMOVED });
    await daemon.unary(ContainersService.waitContainer, request);
  } catch (error) {
    if (!isCtlError(error, "NOT_FOUND")) throw error;
  }
}
