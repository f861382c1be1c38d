import type { OperationKind } from "./operation.ts";
import { acquireImage, createContainer, type StartState } from "./start-steps.ts";

/** A container that does not run yet: its image leased, its name reserved. */
export const createKind: OperationKind<StartState> = {
  name: "create",
  plan: [acquireImage, createContainer],
};
