import { randomUUID } from "node:crypto";
import { ContainerState } from "#proto/ctl/containers/v1/containers.ts";
import type { BackupVolumeRequest, BackupVolumeResponse } from "#proto/ctl/gateway/v1/gateway.ts";
import { sleep } from "../../services/kit/deadlines.ts";
import { CtlError } from "../../services/kit/errors.ts";
import { inParallel } from "../../services/kit/parallel.ts";
import type { GatewayDeps } from "../deps.ts";
import { newOperationId, runOperation } from "./operation.ts";
import { isNotRunning, type StandStillState, standStillKind } from "./stand-still.ts";

/** Containers that are looked at, or paused, side by side. */
const AT_ONCE = 8;
const LOOK_MS = 2_000;

/**
 * A volume's content as the volumes service packs it. With `pause` the running containers that have the volume stand
 * still from before the first byte until behind the last one, and go on whatever happens: the client leaves, the volumes
 * service dies, this gateway dies (the next one lets them go on).
 */
export async function* backupVolume(
  { ref, pause }: BackupVolumeRequest,
  deps: GatewayDeps,
  signal: AbortSignal,
): AsyncGenerator<BackupVolumeResponse> {
  const id = randomUUID();
  if (!pause) return yield* deps.clients.volumes.backupVolume({ ref, id }, { signal });
  await using still = await standStill(await runningHolders(ref, deps, signal), deps, signal);
  let isWatched = false;
  for await (const part of deps.clients.volumes.backupVolume({ ref, id }, { signal: still.signal })) {
    if (!isWatched) void still.endWith(abandoned(ref, `backup:${id}`, deps, still.signal));
    isWatched = true;
    yield part;
  }
}

/**
 * Rejects when nobody reads the volume any more. A client that does not read keeps the answer's end from us: that the
 * service died is seen by the volume's users alone, from which reconcile takes who is dead.
 */
async function abandoned(ref: string, reader: string, { clients }: GatewayDeps, signal: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(LOOK_MS, signal);
    const { volume } = await clients.volumes.inspectVolume({ ref, withSize: false }, { signal });
    if (volume?.holders.includes(reader) === true) continue;
    throw new CtlError("UNAVAILABLE", {
      reason: "BACKUP_CUT_OFF",
      what: `back up volume "${ref}"`,
      why: "the volumes service ended in the middle of it",
      fix: "try again",
    });
  }
}

async function runningHolders(ref: string, { clients }: GatewayDeps, signal: AbortSignal): Promise<string[]> {
  const { volume } = await clients.volumes.inspectVolume({ ref, withSize: false }, { signal });
  const containers = (volume?.holders ?? []).filter((holder) => !holder.includes(":")); // others only read it
  const running: string[] = [];
  const look = async (holder: string, s: AbortSignal) => {
    const { container } = await clients.containers.inspectContainer({ ref: holder, withSize: false }, { signal: s });
    if (container?.state === ContainerState.RUNNING) running.push(holder);
  };
  await inParallel(containers, look, signal, AT_ONCE);
  return running;
}

/** All of them stand still when it answers; disposing it waits until they go on. The signal: one could not be kept so. */
async function standStill(ids: readonly string[], deps: GatewayDeps, signal: AbortSignal) {
  const leaving = new AbortController();
  const ends = AbortSignal.any([signal, leaving.signal]);
  const until = Promise.withResolvers<void>();
  const operations = ids.map((subject) => keepStill(subject, until.promise, deps, ends));
  const letGo = async () => {
    until.resolve();
    await Promise.allSettled(operations.map(({ ended }) => ended));
  };
  for (const { ended } of operations) ended.catch((error: unknown) => leaving.abort(error));
  try {
    await Promise.all(operations.map(({ paused }) => paused));
  } catch (error) {
    await letGo();
    throw error;
  }
  const endWith = (failure: Promise<never>) => failure.catch((error: unknown) => leaving.abort(error));
  return {
    signal: ends,
    endWith,
    [Symbol.asyncDispose]: async () => {
      await letGo();
      leaving.abort(new CtlError("CANCELLED", { reason: "CANCELLED", what: "back up the volume", why: "it is done" }));
    },
  };
}

/** `paused` rejects, and `ended` too, when it could not be paused; one that does not run any more needs no pause. */
function keepStill(subject: string, until: Promise<void>, { clients, operations }: GatewayDeps, signal: AbortSignal) {
  const paused = Promise.withResolvers<void>();
  const state: StandStillState = {
    ...{ clients, operation: newOperationId(), subject, until },
    onPaused: () => paused.resolve(),
    isOurs: false,
  };
  const run = async () => {
    try {
      await runOperation(standStillKind, state, Buffer.alloc(0), operations, signal);
    } catch (error) {
      if (isNotRunning(error)) paused.resolve();
      else {
        paused.reject(error);
        throw error;
      }
    }
  };
  paused.promise.catch(() => {}); // who waits for it hears it, who left need not
  return { paused: paused.promise, ended: run() };
}
