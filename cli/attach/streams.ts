import {
  type AttachOpen,
  AttachRequest,
  ContainersService,
  type ExecOpen,
  ExecRequest,
  type ExitStatus,
  InspectContainerRequest,
} from "#proto/ctl/containers/v1/containers.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import type { Daemon } from "../daemon.ts";
import type { SessionCall, SessionEvent } from "./session.ts";

/** Opens Attach. */
export async function attachStream(daemon: Daemon, open: AttachOpen): Promise<SessionCall> {
  const call = await daemon.open(ContainersService.attach);
  await call.send(AttachRequest.fromPartial({ input: { $case: "open", value: open } }));
  return {
    send: (input) => call.send({ input }),
    cancel: () => call.cancel(),
    events: eventsOf(call),
  };
}

/** Opens Exec. */
export async function execStream(daemon: Daemon, open: ExecOpen): Promise<SessionCall> {
  const call = await daemon.open(ContainersService.exec);
  await call.send(ExecRequest.fromPartial({ input: { $case: "open", value: open } }));
  return {
    send: (input) => call.send({ input }),
    cancel: () => call.cancel(),
    events: eventsOf(call),
  };
}

async function* eventsOf<E extends SessionEvent>(
  answers: AsyncIterable<{ readonly event: E | undefined }>,
): AsyncGenerator<E> {
  for await (const { event } of answers) if (event !== undefined) yield event;
}

/** How a container's last run ended; undefined when it is gone. */
export async function exitStatusOf(daemon: Daemon, ref: string): Promise<ExitStatus | undefined> {
  try {
    const request = InspectContainerRequest.fromPartial({ ref });
    const { container } = await daemon.unary(ContainersService.inspectContainer, request);
    if (container?.exitCode === undefined) return undefined;
    return { exitCode: container.exitCode, oomKilled: container.oomKilled };
  } catch (error) {
    if (isCtlError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}
