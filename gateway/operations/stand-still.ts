import { raceSignal } from "../../services/kit/deadlines.ts";
import { CtlError, isCtlError } from "../../services/kit/errors.ts";
import type { Clients } from "../clients.ts";
import type { OperationKind, OperationState, Step } from "./operation.ts";

export interface StandStillState extends OperationState {
  readonly clients: Clients;
  /** Called when the container stands still. */
  readonly onPaused: () => void;
  /** Settles when it may go on. */
  readonly until: Promise<void>;
  /** It was we who paused it: one that somebody else paused stays so. */
  isOurs: boolean;
}

const pause: Step<StandStillState> = {
  name: "containers.pause",
  do: async (state, signal) => {
    try {
      await state.clients.containers.pauseContainer({ ref: state.subject }, { signal });
    } catch (error) {
      // taken up again after a crash, it is we who had paused it
      if (state.isOurs && isCtlError(error, "FAILED_PRECONDITION")) return state.onPaused();
      throw error;
    }
    state.isOurs = true;
    state.onPaused();
  },
  undo: async (state, signal) => unpause(state, signal),
};

const wait: Step<StandStillState> = {
  name: "client.wait",
  do: ({ until }, signal) => raceSignal(until, signal, "keep the container paused"),
};

const goOn: Step<StandStillState> = { name: "containers.unpause", do: (state, signal) => unpause(state, signal) };

/** One that ended meanwhile, or that somebody let go on, needs nothing. */
async function unpause({ clients, subject, isOurs }: StandStillState, signal: AbortSignal): Promise<void> {
  if (!isOurs) return;
  try {
    await clients.containers.unpauseContainer({ ref: subject }, { signal });
  } catch (error) {
    if (isCtlError(error, "FAILED_PRECONDITION") || isCtlError(error, "NOT_FOUND")) return;
    throw error;
  }
}

/**
 * A container that stands still for as long as somebody needs it to. Its row outlives this gateway: who adopts it finds
 * nobody to wait for, and lets the container go on.
 */
export const standStillKind: OperationKind<StandStillState> = { name: "stand-still", plan: [pause, wait, goOn] };

/** What a gateway that adopts the operation begins with. */
export function abandonedStandStill(clients: Clients, operation: string, subject: string): StandStillState {
  return { clients, operation, subject, onPaused: () => {}, until: Promise.resolve(), isOurs: true };
}

/** Somebody stopped, removed or paused it just now: then what is read of its volume is at rest, or is not ours to say. */
export function isNotRunning(error: unknown): boolean {
  return (
    error instanceof CtlError &&
    ["CONTAINER_NOT_RUNNING", "CONTAINER_PAUSED", "CONTAINER_NOT_FOUND"].includes(error.reason)
  );
}
