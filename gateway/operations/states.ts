import { randomBytes } from "node:crypto";
import type { ContainerSpec } from "#proto/ctl/containers/v1/spec.ts";
import type { RegistryAuth } from "#proto/ctl/images/v1/images.ts";
import type { Clients } from "../clients.ts";
import { newOperationId } from "./operation.ts";
import type { RemoveState } from "./remove.ts";
import type { RunState } from "./run.ts";
import type { PullChoice, StartState } from "./start-steps.ts";

/** A container's id, minted before the first step: 64 hex digits, as Docker's. */
export function newContainerId(): string {
  return randomBytes(32).toString("hex");
}

export interface StartWish {
  readonly operation?: string;
  readonly subject: string;
  readonly spec: ContainerSpec | undefined;
  readonly pull: PullChoice;
  readonly auth?: RegistryAuth | undefined;
  readonly onPull?: StartState["onPull"];
}

/** What create and start begin with. */
export function startState(clients: Clients, wish: StartWish): StartState {
  return {
    clients,
    operation: wish.operation ?? newOperationId(),
    subject: wish.subject,
    spec: wish.spec,
    pull: wish.pull,
    auth: wish.auth,
    onPull: wish.onPull ?? (() => {}),
    warnings: [],
  };
}

export interface RunWish extends StartWish {
  readonly onCreated: RunState["onCreated"];
  readonly attached: RunState["attached"];
}

export function runState(clients: Clients, wish: RunWish): RunState {
  const { onCreated, attached } = wish;
  return { ...startState(clients, wish), startFollows: true, onCreated, attached };
}

export interface RemoveWish {
  readonly subject: string;
  readonly operation?: string;
  readonly force: boolean;
  readonly volumes: boolean;
  readonly hasMounts?: boolean;
  readonly onReleased?: () => void;
}

export function removeState(clients: Clients, { operation, ...wish }: RemoveWish): RemoveState {
  return { clients, operation: operation ?? newOperationId(), ...wish };
}
