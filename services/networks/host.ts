import { join } from "node:path";
import type { BootContext } from "../kit/boot.ts";
import { deadline } from "../kit/deadlines.ts";
import { userMappingOf } from "../kit/userns-remap.ts";
import { ensureBuiltIns } from "./built-in.ts";
import type { Deps } from "./deps.ts";
import { Dns } from "./dns/dns.ts";
import { bridgeDriver } from "./drivers/bridge.ts";
import { hostDriver } from "./drivers/host.ts";
import { noneDriver } from "./drivers/none.ts";
import { Firewall } from "./host/firewall.ts";
import { keepFirewall } from "./host/keep-firewall.ts";
import { aloneOnHost } from "./host/lock.ts";
import { KnownNetworks } from "./known-networks.ts";
import { hostNames } from "./names.ts";
import { Ruleset } from "./nftables/ruleset.ts";
import { UserRules } from "./nftables/user-rules.ts";
import { Forwarders } from "./ports/forwarders.ts";
import { HostPorts, reservationOwner } from "./ports/host-ports.ts";
import { rebuildTable, reconcile } from "./reconcile.ts";
import { shareNetnsDirectory } from "./sandbox/netns-directory.ts";
import { takePoolMark } from "./sandbox/pool-mark.ts";
import { SandboxRemovals } from "./sandbox/removals.ts";
import { WarmPool } from "./sandbox/warm-pool.ts";
import { addressPools, type networksSettings } from "./settings.ts";
import { startNetworksThread } from "./thread/start.ts";
import { Turns } from "./turns.ts";
import { syncReplica } from "./upkeep.ts";

/** What the operations are made of, and its owner: disposing it leaves on the host what belongs to rows. */
export interface OwnedDeps extends AsyncDisposable {
  readonly deps: Deps;
}

const START_TIMEOUT_MS = 30_000;
/** A burst of runs finds its sandboxes ready; one of them costs the kernel about 100 KB. */
const POOL = { sizePerNetwork: 4, maxTotal: 12, refillDelayMs: 100 } as const;

/** The host as the rows say it should be, and what keeps it so. 60 ms. */
export async function openHost(context: BootContext<typeof networksSettings>): Promise<OwnedDeps> {
  const { config, db, log, nodeId: node } = context;
  const starting = AbortSignal.any([context.signal, deadline(START_TIMEOUT_MS, "make the host's network ready")]);
  await using undo = new AsyncDisposableStack();
  const thread = undo.use(await startNetworksThread({ owner: await userMappingOf(config["userns-remap"]) }, starting));
  const names = hostNames(config.instance);
  const marksDirectory = join(config.run, "networks/pools");
  const { mark } = undo.use(await takePoolMark(marksDirectory));
  const own = { thread, names, netnsDirectory: join(config.run, "networks/netns") };
  await aloneOnHost(starting, () => shareNetnsDirectory(own.netnsDirectory));
  const ruleset = new Ruleset(thread, names.table, new UserRules(join(config.run, "networks/user-rules")));
  const dns = undo.use(new Dns(own, log));
  const pool = undo.use(
    new WarmPool(own, { ...POOL, mark }, log, { made: (id) => dns.prepare(id), gone: (id) => dns.drop(id) }),
  );
  const removals = undo.use(new SandboxRemovals(own, log));
  const hostPorts = undo.use(new HostPorts(reservationOwner(`${config.instance} ${node}`)));
  const forwarders = undo.use(new Forwarders(hostPorts, log));
  const deps: Deps = {
    ...own,
    ...{ db, node, log, ruleset, dns, pool, removals, hostPorts, forwarders, mark, marksDirectory },
    drivers: { bridge: bridgeDriver({ ...own, ruleset, pool }), host: hostDriver(), none: noneDriver({ pool }) },
    turns: new Turns(),
    known: new KnownNetworks(),
    firewall: new Firewall({ thread, log, table: names.table, isIntegrated: config.firewall === "integrate" }),
    addressPools: addressPools(config, node),
    forwardingMarker: join(config.run, "networks/forwarding"),
  };
  await rebuildTable(deps);
  await ensureBuiltIns(deps, starting);
  await reconcile(deps, starting);
  await syncReplica(deps, starting);
  await keepFirewall(deps, starting).catch((error: unknown) => {
    log.warn({ err: error }, "the host's firewall is not read");
  });
  const owned = undo.move();
  return { deps, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
