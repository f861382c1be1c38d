import type { Database } from "../kit/database.ts";
import type { Logger } from "../kit/telemetry/log.ts";
import type { Dns } from "./dns/dns.ts";
import type { NetworkDriver } from "./drivers/driver.ts";
import type { Firewall } from "./host/firewall.ts";
import type { AddressPool } from "./ipam/pools.ts";
import type { KnownNetworks } from "./known-networks.ts";
import type { DriverName } from "./network.ts";
import type { Ruleset } from "./nftables/ruleset.ts";
import type { Forwarders } from "./ports/forwarders.ts";
import type { HostPorts } from "./ports/host-ports.ts";
import type { SandboxRemovals } from "./sandbox/removals.ts";
import type { SandboxDeps } from "./sandbox/sandbox.ts";
import type { WarmPool } from "./sandbox/warm-pool.ts";
import type { Turns } from "./turns.ts";

/** The service's events and tables. */
export const SCHEMA = "networks";

/** What the operations are made of; each takes the part that it uses. */
export interface Deps extends SandboxDeps {
  readonly db: Database;
  /** This host: rows of others are not ours to touch. */
  readonly node: string;
  readonly drivers: Readonly<Record<DriverName, NetworkDriver>>;
  readonly ruleset: Ruleset;
  readonly pool: WarmPool;
  /** What the names of our pool's sandboxes end with; the locks that say which pools live. */
  readonly mark: string;
  readonly marksDirectory: string;
  readonly removals: SandboxRemovals;
  /** The host's ports that this process holds. */
  readonly hostPorts: HostPorts;
  /** What carries to containers what the kernel does not translate. */
  readonly forwarders: Forwarders;
  readonly turns: Turns;
  readonly known: KnownNetworks;
  readonly firewall: Firewall;
  /** The sandboxes' resolver. */
  readonly dns: Dns;
  /** Where subnets are cut from that nobody names. */
  readonly addressPools: readonly AddressPool[];
  /** Says that we turned the host's forwarding on. */
  readonly forwardingMarker: string;
  readonly log: Logger;
}
