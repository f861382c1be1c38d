import type { DriverSettings } from "../network.ts";
import type { InterfaceSettings, Sandbox, Veth } from "../sandbox/sandbox.ts";

/** A network as its driver sees it. */
export interface DriverNetwork {
  readonly id: string;
  /** The link's name on the host; empty for drivers that have none. */
  readonly bridge: string;
  readonly pools: readonly DriverPool[];
  readonly isInternal: boolean;
  readonly isMasqueraded: boolean;
  readonly mtu?: number;
  readonly settings?: DriverSettings;
}

export interface DriverPool {
  /** CIDR. */
  readonly subnet: string;
  readonly gateway: string;
}

/**
 * What a kind of network does on the host. Rows come before and go after; everything here is idempotent and leaves
 * nothing behind when it throws. A sandbox begins with `open` of its first network's driver; `connect` is then called for
 * that network and for each further one, in any order, also while the container runs.
 */
export interface NetworkDriver {
  /** Makes or mends what the network needs on the host. Call it again whenever that may have gone. */
  ensure(network: DriverNetwork): Promise<void>;
  /** Takes it away again; nothing there is no error. The network has no endpoint left. */
  remove(network: DriverNetwork): Promise<void>;
  /** A sandbox for a new holder; undefined: it shares the host's namespace. Settle it, or give it back (warm-pool.ts). */
  open(network: DriverNetwork): Promise<Sandbox | undefined>;
  /** Gives the sandbox this interface on this network, unless it has it, and configures it. */
  connect(network: DriverNetwork, sandbox: Sandbox, veth: Veth, settings: InterfaceSettings): Promise<void>;
  /** Takes an interface away from a sandbox that goes on. */
  disconnect(network: DriverNetwork, veth: Veth): Promise<void>;
}
