import { type AttachResponse, type ExecResponse, OutputStream } from "#proto/ctl/containers/v1/containers.ts";
import { raceSignal } from "../../services/kit/deadlines.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import type { Typed } from "./detach-keys.ts";
import { encoderFor } from "./framing.ts";
import type { RawStream } from "./hijack.ts";
import type { SessionInput } from "./session-input.ts";

type SessionEvent = AttachResponse["event"] | ExecResponse["event"];

export interface Session {
  readonly raw: RawStream;
  readonly input: SessionInput;
  readonly events: AsyncIterator<{ readonly event: SessionEvent }>;
  /** Ends the call to the service: `events` may be waiting for what never comes. */
  readonly endCall: () => void;
  readonly isTty: boolean;
  /** Output and error output are told apart by Docker's frames; else they travel as they are. */
  readonly isFramed: boolean;
  readonly hasStdin: boolean;
  /** What the client wants of the output; the contract takes "neither" for both. */
  readonly wants: (stream: OutputStream) => boolean;
  /** Watches what is typed for the keys that detach. */
  readonly detachFilter?: (chunk: Buffer) => Typed;
}

const PROBE_MS = 5_000;
const LEAVE_MS = 2_000;

/**
 * Carries a client's input to the container and its output back, until the container's process ends, the client
 * detaches or is gone. The connection is closed at the end in every case.
 */
export async function carry(session: Session): Promise<void> {
  const { raw, input, events } = session;
  const encode = encoderFor(!session.isFramed);
  const detached = Promise.withResolvers<"detached">();
  const forwarding = forward(session, () => detached.resolve("detached"));
  try {
    for (;;) {
      const next = await Promise.race([events.next(), detached.promise]);
      if (next !== "detached" && next.done === true) break;
      const event = next === "detached" ? next : next.value.event;
      if (event === "detached" || event?.$case === "exit") {
        raw.end();
        await leave(session);
        break;
      }
      if (event?.$case === "output" && session.wants(event.value.stream)) {
        await raw.write(encode(event.value.stream, event.value.data));
      }
    }
  } catch (error) {
    // whoever went away hears nothing any more
    if (!isCtlError(error, "CANCELLED")) throw error;
  } finally {
    input.close();
    raw.end();
    session.endCall();
    await events.return?.();
    await forwarding;
  }
}

/** Says that this client does not come back, and waits a moment until it is heard: cancelling the call could overtake it. */
async function leave({ input, events }: Session): Promise<void> {
  input.leave();
  input.close();
  const timer = AbortSignal.timeout(LEAVE_MS);
  const over = async () => {
    while ((await events.next()).done !== true);
  };
  await raceSignal(over(), timer, "leave a session").catch(() => {});
}

/** Reads also what nobody wants: else the client's going away would not be seen. */
async function forward(session: Session, onDetach: () => void): Promise<void> {
  const { raw, input, hasStdin, detachFilter } = session;
  try {
    for await (const chunk of raw.input) {
      const { data, isDetached } = detachFilter?.(chunk) ?? { data: chunk, isDetached: false };
      if (hasStdin && data.length > 0) await input.stdin(data);
      if (!isDetached) continue;
      onDetach();
      return;
    }
    // a terminal's input stays open for who attaches next
    if (hasStdin && !session.isTty) input.closeStdin();
    await probeUntilOver(session);
  } catch {
    // a connection that broke: its request's signal ends the session
  }
}

/**
 * A client that has closed its side may have closed both, which shows only in a write. While the container says nothing
 * an empty frame is written now and then; a stream without frames has no byte that would be nothing.
 */
async function probeUntilOver({ raw, input, isFramed }: Session): Promise<void> {
  if (!isFramed) return;
  const empty = encoderFor(false)(OutputStream.STDOUT, Buffer.alloc(0));
  const timer = setInterval(() => void raw.write(empty), PROBE_MS);
  await input.closed;
  clearInterval(timer);
}
