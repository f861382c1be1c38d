import { basename } from "node:path";
import { asCtlError } from "../kit/errors.ts";
import { attribute } from "../kit/telemetry/attributes.ts";
import type { Deps } from "./deps.ts";
import { attachmentOf, bridgeRulesOf } from "./drivers/bridge.ts";
import { forwardingState, turnOnForwarding } from "./drivers/forwarding.ts";
import { recordEndpointEvents } from "./events.ts";
import { type Holding, hostPortOf, portRules } from "./holding.ts";
import { bringUp, forgetFlows, isNamespace, sandboxOf } from "./host/bring-up.ts";
import type { Link } from "./netlink/links.ts";
import { driverNetwork, hasFamily, type Network } from "./network.ts";
import type { PortRule } from "./nftables/ports.ts";
import { livingMarks, markOf } from "./sandbox/pool-mark.ts";
import { firstVeth, joinBridge, listHostObjects, removeSandbox, removeVeth } from "./sandbox/sandbox.ts";
import { allHoldings, deactivateHolding, holdingOf, ownedNetnsIds } from "./store/holdings.ts";
import { allNetworks, lockNetwork } from "./store/networks.ts";

/**
 * Makes the host as the rows say it should be, and the rows as the host is where that cannot be undone: bridges, sandboxes
 * and mappings are compared both ways. What it mends is in the log. Harmless beside everything else that goes on, in any
 * replica.
 */
export async function reconcile(deps: Deps, signal: AbortSignal): Promise<void> {
  await mendBridges(deps);
  await mendSandboxes(deps, signal);
  await sweepSandboxes(deps);
  await sweepLinks(deps);
  await mendMappings(deps);
}

/** The whole table anew, then forwarding on: in this order, since the table guards what forwarding opens. */
export async function rebuildTable(deps: Deps): Promise<void> {
  const { isGuarded } = await forwardingState(deps.forwardingMarker);
  const { isGuarded: isGuarded6 } = await forwardingState(deps.forwardingMarker, 6);
  const bridges = async () => bridgesOf(await allNetworks(deps.db, deps.node));
  await deps.ruleset.rebuild(async () => ({
    bridges: (await bridges()).map((network) => bridgeRulesOf(driverNetwork(network))),
    ports: await activeRules(deps),
    isForwardingGuarded: isGuarded,
    isForwarding6Guarded: isGuarded6,
  }));
  const refused = deps.ruleset.refusedUserRules();
  if (refused.length > 0)
    deps.log.error({ "ctl.rules": refused }, "rules of the table's user were refused by nftables");
  await turnOnForwarding(deps.forwardingMarker);
  // a host without a network of IPv6 need not become a router of it
  if ((await bridges()).some((network) => hasFamily(network, 6))) await turnOnForwarding(deps.forwardingMarker, 6);
  // a change by another replica between our reading and our writing is not in the new table
  await mendMappings(deps);
}

/** Bridges that are missing are made, those without a network go, and veths that lost their bridge are joined to it again. */
async function mendBridges(deps: Deps): Promise<void> {
  const before = (await listHostObjects(deps)).links;
  const networks = bridgesOf(await allNetworks(deps.db, deps.node));
  for (const network of networks) {
    await mending(`bridge of network "${network.name}"`, deps, async () => {
      if (!(await ensureLocked(network, deps))) return;
      if (before.some(({ name }) => name === network.bridge)) return;
      deps.log.warn({ [attribute.networkName]: network.name }, "bridge was missing: it is made anew");
    });
  }
  const ids = new Set(networks.map(({ id }) => id));
  for (const link of before.filter(({ kind }) => kind === "bridge")) {
    if (ids.has(link.alias.slice(deps.names.aliasPrefix.length))) continue;
    await mending(`link ${link.name}`, deps, () => removeBridge(link, deps));
  }
}

/** Under the row's lock: a network that is removed since we read it must not get its bridge back. False: it is gone. */
async function ensureLocked({ id }: Network, deps: Deps): Promise<boolean> {
  return deps.db.transaction(async (tx) => {
    const network = await lockNetwork(tx, id);
    if (network !== undefined) await deps.drivers.bridge.ensure(driverNetwork(network));
    return network !== undefined;
  });
}

async function removeBridge({ name, alias }: Link, deps: Deps): Promise<void> {
  await deps.thread.call("removeBridge", { name, alias });
  await rebuildTable(deps); // its subnets are known to nobody
  deps.log.warn({ "ctl.link": name }, "bridge without a network removed");
}

async function mendSandboxes(deps: Deps, signal: AbortSignal): Promise<void> {
  const { links } = await listHostObjects(deps);
  const byName = new Map(links.map((link) => [link.name, link]));
  for (const holding of await allHoldings(deps.db, deps.node)) {
    const sandbox = sandboxOf(holding, deps);
    if (sandbox === undefined) continue;
    const missing = sandbox.veths.filter(({ hostLink }) => !byName.has(hostLink));
    const hasLinks = missing.length < sandbox.veths.length;
    await mending(`sandbox of ${holding.holder}`, deps, async () => {
      if (hasLinks) await joinBridges(holding, byName, deps);
      else if (!(await isNamespace(sandbox.netnsPath))) return await settleLost(holding, deps, signal);
      if (missing.length > 0) await mendLinks(holding, deps, signal);
    });
  }
}

async function joinBridges({ endpoints }: Holding, links: ReadonlyMap<string, Link>, deps: Deps): Promise<void> {
  for (const { hostLink, network } of endpoints) {
    const link = links.get(hostLink);
    if (link === undefined || link.masterIndex === links.get(network.bridge)?.index) continue;
    await joinBridge(deps, hostLink, attachmentOf(driverNetwork(network)));
    deps.log.warn({ "ctl.link": hostLink, [attribute.networkName]: network.name }, "veth joined to its bridge again");
  }
}

/** A sandbox without an interface that its rows say: a crash came between the two, or somebody deleted the link. */
async function mendLinks({ holder, netnsId }: Holding, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  const held = await holdingOf(deps.db, deps.node, holder);
  if (held === undefined || held.netnsId !== netnsId) return;
  const links = new Set((await listHostObjects(deps)).links.map(({ name }) => name));
  const missing = held.endpoints.filter(
    ({ hostLink, network }) => hostLink !== "" && network.driver === "bridge" && !links.has(hostLink),
  );
  if (missing.length === 0) return;
  await bringUp(held, undefined, deps);
  deps.log.warn({ [attribute.containerId]: holder }, "missing interfaces of a sandbox are made anew");
}

/** Neither namespace nor link: the host was booted, or somebody took them away. The container has stopped, or must be. */
async function settleLost({ holder, netnsId }: Holding, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  const held = await holdingOf(deps.db, deps.node, holder);
  const sandbox = held === undefined ? undefined : sandboxOf(held, deps);
  if (held === undefined || held.netnsId !== netnsId || (await isNamespace(sandbox?.netnsPath ?? ""))) return;
  await deps.db.transaction(async (tx) => {
    if (!(await deactivateHolding(tx, holder, netnsId))) return;
    await recordEndpointEvents(tx, "disconnect", holder, held.endpoints);
  });
  deps.dns.deactivate(held);
  deps.forwarders.remove(holder);
  for (const port of held.ports) if (!port.isChosen) deps.hostPorts.release(hostPortOf(port), holder);
  deps.log.warn({ [attribute.containerId]: holder }, "sandbox is gone from the host: its holder is stopped");
}

/** Namespaces that no row and no living pool owns: what a crash left between row and host, in either order. */
export async function sweepSandboxes(deps: Deps): Promise<void> {
  // in this order: what is taken from the pool meanwhile is the pool's until its row is committed
  const { netnsPaths } = await listHostObjects(deps);
  const living = await livingMarks(deps.marksDirectory);
  const own = deps.pool.paths();
  const owned = await ownedNetnsIds(deps.db, deps.node);
  for (const netnsPath of netnsPaths) {
    const id = basename(netnsPath);
    const isOthers = living.has(markOf(id)) && markOf(id) !== deps.mark;
    if (owned.has(id) || own.has(netnsPath) || isOthers) continue;
    await mending(`sandbox ${id}`, deps, () =>
      removeSandbox(deps, { id, netnsPath, veths: [firstVeth(deps, id, "")] }),
    );
    deps.log.info({ [attribute.path]: netnsPath }, "sandbox without an owner removed");
  }
}

/**
 * Links of sandboxes that are gone: something keeps their namespace, or did when whoever let go of it died. And of networks
 * that a holder was taken off.
 */
async function sweepLinks(deps: Deps): Promise<void> {
  // in this order: a sandbox has its mount's file before its link, and a row before its further links
  const { links } = await listHostObjects(deps);
  const { netnsPaths } = await listHostObjects(deps);
  const holdings = await allHoldings(deps.db, deps.node);
  const owned = new Set(holdings.flatMap(({ endpoints }) => endpoints.map(({ hostLink }) => hostLink)));
  const held = new Set(holdings.map(({ netnsId }) => netnsId));
  for (const id of netnsPaths.map((path) => basename(path))) {
    if (!held.has(id)) owned.add(firstVeth(deps, id, "").hostLink);
  }
  for (const { name: hostLink, kind } of links) {
    if (kind !== "veth" || owned.has(hostLink)) continue;
    await mending(`link ${hostLink}`, deps, () => removeVeth(deps, { hostLink, networkId: "", interfaceName: "" }));
  }
}

/** Port mappings as the rows say, read while no other change runs. */
async function mendMappings(deps: Deps): Promise<void> {
  const change = await deps.ruleset.mendPorts(() => activeRules(deps));
  if (change.add.length + change.remove.length === 0) return;
  await forgetFlows([...change.add, ...change.remove], deps);
  deps.log.warn({ "ctl.added": change.add.length, "ctl.removed": change.remove.length }, "port mappings mended");
}

async function activeRules({ db, node }: Pick<Deps, "db" | "node">): Promise<PortRule[]> {
  return (await allHoldings(db, node)).filter(({ isActive }) => isActive).flatMap(portRules);
}

function bridgesOf(networks: readonly Network[]): Network[] {
  return networks.filter(({ driver }) => driver === "bridge");
}

/** One thing that cannot be mended keeps no other from it. */
async function mending(what: string, { log }: Deps, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const known = asCtlError(error, `mend the ${what}`);
    if (known.code === "CANCELLED" || known.reason === "DATABASE_UNAVAILABLE") throw error;
    log.error({ "ctl.what": what, err: known }, "not mended");
  }
}
