import { HostThread } from "../../kit/linux/thread.ts";
import type { UserMapping } from "../../kit/linux/user-mapping.ts";
import type { HostOperations } from "./program.ts";

/**
 * The one thread of the networks service that enters network namespaces, and that owns the host's netlink sockets and the
 * libnftables context. Every operation ends within milliseconds (netlink's own limit is 5 s).
 */
export type NetworksThread = HostThread<HostOperations>;

/** What the thread is given at its start. */
export interface NetworksThreadData {
  /** Whose the sandboxes are; undefined: the host's own user namespace's. */
  readonly owner: UserMapping | undefined;
}

/** Starts it in this process's network namespace; about 30 ms. Dispose it last: what it made on the host stays. */
export function startNetworksThread(data: NetworksThreadData, signal: AbortSignal): Promise<NetworksThread> {
  const program = new URL("./program.ts", import.meta.url);
  return HostThread.start<HostOperations>({ program, name: "ctl-networks-host", lastCall: "close", data }, signal);
}
