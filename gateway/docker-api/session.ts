import type { AttachResponse, ExecResponse } from "#proto/ctl/containers/v1/containers.ts";
import { isCtlError } from "../../services/kit/errors.ts";
import type { encoderFor } from "./framing.ts";
import type { RawStream } from "./hijack.ts";
import type { SessionInput } from "./session-input.ts";

type SessionEvent = AttachResponse["event"] | ExecResponse["event"];

export interface Session {
  readonly raw: RawStream;
  readonly input: SessionInput;
  readonly events: AsyncIterator<{ readonly event: SessionEvent }>;
  readonly encode: ReturnType<typeof encoderFor>;
  readonly hasStdin: boolean;
}

/**
 * Carries a client's input to the container and its output back, until the container's process ends or the client is
 * gone. The connection is closed at the end in every case.
 */
export async function carry({ raw, input, events, encode, hasStdin }: Session): Promise<void> {
  const forwarding = forward(raw, input, hasStdin);
  try {
    for (let next = await events.next(); next.done !== true; next = await events.next()) {
      const event = next.value.event;
      if (event?.$case === "output") await raw.write(encode(event.value.stream, event.value.data));
      if (event?.$case === "exit") break;
    }
  } catch (error) {
    // whoever went away hears nothing any more
    if (!isCtlError(error, "CANCELLED")) throw error;
  } finally {
    input.close();
    raw.end();
    await events.return?.();
    await forwarding;
  }
}

/** Reads also what nobody wants: else the client's going away would not be seen. */
async function forward(raw: RawStream, input: SessionInput, hasStdin: boolean): Promise<void> {
  try {
    for await (const chunk of raw.input) {
      if (hasStdin) await input.stdin(chunk);
    }
    if (hasStdin) input.closeStdin();
  } catch {
    // a connection that broke: its request's signal ends the session
  }
}
