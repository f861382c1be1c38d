import type { NetworkDriver } from "./driver.ts";

/** The container shares the host's namespace: nothing is made, and its ports are the host's own. */
export function hostDriver(): NetworkDriver {
  return {
    ensure: async () => {},
    remove: async () => {},
    open: async () => undefined,
    connect: async () => {},
    disconnect: async () => {},
  };
}
