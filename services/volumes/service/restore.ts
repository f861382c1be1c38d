import type { RestoreVolumeRequest, RestoreVolumeResponse } from "#proto/ctl/volumes/v1/volumes.ts";
import { CtlError } from "../../kit/errors.ts";
import type { CallContext } from "../../kit/grpc/handlers.ts";
import type { Deps } from "../deps.ts";
import { restoreVolume } from "../restore.ts";
import { parseVolumeName } from "../volume.ts";
import { makerOf, volumeMessage } from "./messages.ts";

/** Throws INVALID_ARGUMENT OPEN_MISSING. */
export async function* restoreCall(
  requests: AsyncIterable<RestoreVolumeRequest>,
  deps: Deps,
  { actor, signal }: CallContext,
): AsyncGenerator<RestoreVolumeResponse> {
  const messages = requests[Symbol.asyncIterator]();
  const first = (await messages.next()).value?.part;
  if (first?.$case !== "open") throw openMissing();
  const { name, force, withDevices: makesDevices, labels } = first.value;
  const request = { name: parseVolumeName(name), force, makesDevices, labels, createdBy: makerOf(actor) };
  const volume = await restoreVolume(request, dataOf(messages, signal), deps, signal);
  yield { volume: volumeMessage(volume, deps.drivers) };
}

async function* dataOf(messages: AsyncIterator<RestoreVolumeRequest>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let { value, done } = await messages.next(); done !== true; { value, done } = await messages.next()) {
    if (value.part?.$case === "data") yield value.part.value;
  }
  signal.throwIfAborted(); // the messages of a client that went away end too
}

function openMissing(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "OPEN_MISSING",
    what: "restore a volume",
    why: "the first request does not say which",
  });
}
