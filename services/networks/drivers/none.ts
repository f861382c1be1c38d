import { makeSandbox, type SandboxDeps } from "../sandbox/sandbox.ts";
import type { NetworkDriver } from "./driver.ts";

/** A sandbox with nothing but its loopback. */
export function noneDriver(deps: SandboxDeps): NetworkDriver {
  return {
    ensure: async () => {},
    remove: async () => {},
    open: () => makeSandbox(deps),
    connect: async () => undefined,
    disconnect: async () => {},
  };
}
