import { workerData } from "node:worker_threads";
import { serveThread } from "../../kit/linux/thread-program.ts";
import { linkOperations } from "../drivers/link-operations.ts";
import { conntrackOperations } from "../netlink/conntrack.ts";
import { bindNetlinkCalls, NetlinkSocket } from "../netlink/socket.ts";
import { NftContext } from "../nftables/context.ts";
import { LowDescriptor } from "../nftables/low-descriptor.ts";
import { Namespaces } from "../sandbox/namespaces.ts";
import { sandboxOperations } from "../sandbox/operations.ts";
import { traceOperations } from "../trace/operations.ts";
import type { NetworksThreadData } from "./start.ts";

export type HostOperations = ReturnType<typeof hostOperations>;

/** All that this thread does. It starts in the host's network namespace, where its sockets and its nft context stay. */
function hostOperations({ owner }: NetworksThreadData) {
  const calls = bindNetlinkCalls();
  const host = new NetlinkSocket(calls);
  const namespaces = new Namespaces(owner);
  const nft = new NftContext();
  const low = new LowDescriptor();
  return {
    ...sandboxOperations({ calls, host, namespaces, low }),
    ...linkOperations(host),
    ...conntrackOperations(calls),
    ...traceOperations(calls, namespaces),
    nft: (request: Parameters<NftContext["run"]>[0]) => nft.run(request),
    /** The last call: sockets that Node did not open are not closed with the thread. */
    close: (_request: undefined) => {
      for (const owned of [nft, low, namespaces, host]) owned[Symbol.dispose]();
    },
  };
}

serveThread(hostOperations(workerData as NetworksThreadData));
