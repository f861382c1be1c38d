import { PullPolicy, type RunOpen } from "#proto/ctl/gateway/v1/gateway.ts";
import type { OperationKind, Step } from "./operation.ts";
import {
  acquireImage,
  acquireNetworks,
  acquireVolumes,
  copyUp,
  createContainer,
  type PullChoice,
  prepareContainer,
  type StartState,
  startContainer,
} from "./start-steps.ts";

export interface RunState extends StartState {
  readonly onCreated: (state: RunState) => void;
  /** Resolves when a foreground client has its Attach open; rejects when there is no client any more. */
  readonly attached: (signal: AbortSignal) => Promise<void>;
}

/** Between create and start: a foreground client must be listening before there is something to hear. */
const awaitClient: Step<RunState> = {
  name: "client.attach",
  do: async (state, signal) => {
    state.onCreated(state);
    await state.attached(signal);
  },
};

export const runKind: OperationKind<RunState> = {
  name: "run",
  plan: [
    acquireImage,
    createContainer,
    // the root is mounted and the sandbox taken while the client attaches
    [awaitClient, acquireVolumes, acquireNetworks, prepareContainer],
    copyUp,
    startContainer,
  ],
};

export function pullChoice(policy: RunOpen["pull"]): PullChoice {
  if (policy === PullPolicy.ALWAYS) return "always";
  return policy === PullPolicy.NEVER ? "never" : "missing";
}
