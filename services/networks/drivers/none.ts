import type { WarmPool } from "../sandbox/warm-pool.ts";
import type { NetworkDriver } from "./driver.ts";

/** A sandbox with nothing but its loopback. */
export function noneDriver({ pool }: { readonly pool: WarmPool }): NetworkDriver {
  return {
    ensure: async () => {},
    remove: async () => {},
    open: () => pool.take(undefined),
    connect: async () => {},
    disconnect: async () => {},
  };
}
