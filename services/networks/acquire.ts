import { type Db, violates } from "../kit/database.ts";
import { CtlError, isCtlError } from "../kit/errors.ts";
import { beginStep } from "../kit/outbox.ts";
import type { Deps } from "./deps.ts";
import { isAsking } from "./dns/dns.ts";
import { recordEndpointEvents } from "./events.ts";
import { findNetworks, knownNetworks } from "./find.ts";
import { type Holder, type Holding, hasOutside, hostPortOf } from "./holding.ts";
import { bringUp, reserveAll } from "./host/bring-up.ts";
import { keepFirewall } from "./host/keep-firewall.ts";
import {
  filteredResolvConf,
  type HostResolvers,
  hostResolvers,
  type ResolvConf,
  sandboxResolvConf,
} from "./host/resolv-conf.ts";
import { driverNetwork, type Network } from "./network.ts";
import { insertNew, type NewHolder, portsFor, relink } from "./new-holding.ts";
import { portConflict, type Reserved, releaseReserved } from "./ports/reserve.ts";
import { withdraw } from "./release.ts";
import type { AcquireRequest } from "./requests/acquire-request.ts";
import { newSandboxId, type Sandbox } from "./sandbox/sandbox.ts";
import { addressOwner } from "./store/endpoints.ts";
import { activateHolding, holdingOf } from "./store/holdings.ts";
import { insertPorts, takenPorts } from "./store/ports.ts";

export interface Acquired {
  readonly holding: Holding;
  readonly resolvConf: string;
  readonly warnings: readonly string[];
}

/**
 * A sandbox with its addresses and published ports for a container, or what it had before it was stopped. The rows are one
 * transaction, then comes the host: what a crash in between leaves undone, doing it again does, and undoing undoes. Done
 * again it answers the same. Throws what the parts throw, and ALREADY_EXISTS PORT_ALREADY_PUBLISHED and ADDRESS_IN_USE,
 * INVALID_ARGUMENT NETWORK_MODE_CONFLICT, RESOURCE_EXHAUSTED NETWORK_FULL, ABORTED ACQUIRED_MEANWHILE.
 */
export async function acquire(request: AcquireRequest, deps: Deps, signal: AbortSignal): Promise<Acquired> {
  using _turn = await deps.turns.take(request.holder, signal);
  deps.removals.postpone();
  const resolvers = hostResolvers(); // while the database works
  const firewall = lookAtFirewall(request, deps);
  const { holding, sandbox, change } = await record(request, deps);
  try {
    if (change === "kept") await reserveAll(holding, deps);
    await bringUp(holding, sandbox, deps);
    await deps.dns.put(holding);
  } catch (error) {
    await withdraw(holding, change, deps);
    throw error;
  }
  await firewall;
  if (deps.firewall.isIntegrated && deps.firewall.dropping().length > 0) await keepFirewall(deps, signal);
  return answer(holding, request, await resolvers, deps);
}

/** Who publishes a port is told what stands in its way now, not what did a while ago. */
async function lookAtFirewall({ ports }: AcquireRequest, { firewall, log }: Deps): Promise<void> {
  if (ports.length === 0) return;
  await firewall.refresh().catch((error: unknown) => log.warn({ err: error }, "the host's firewall is not read"));
}

interface Recorded {
  readonly holding: Holding;
  /** What was taken from the pool for it; undefined: it had one, or has none. */
  readonly sandbox: Sandbox | undefined;
  readonly change: "made" | "activated" | "kept";
}

/** What a transaction meets that others change at the same time is met so often in a row by nobody. */
export const ATTEMPTS = 5;

async function record(request: AcquireRequest, deps: Deps): Promise<Recorded> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await recordOnce(request, attempt, deps);
    } catch (error) {
      // a network that we know may be gone, and its bridge with it
      const isOutdated = attempt === 1 && isCtlError(error, "UNAVAILABLE") && error.reason === "NETNS_REFUSED";
      const known = isOutdated ? undefined : await explain(error, request, deps);
      if (known !== undefined) throw known;
      if (attempt === ATTEMPTS) throw acquiredMeanwhile(request, error);
    }
  }
}

/** Row before host object, but for the sandbox: until its row is committed the pool owns it. */
async function recordOnce(request: AcquireRequest, attempt: number, deps: Deps): Promise<Recorded> {
  const networks = await networksOf(request, attempt, deps);
  const sandbox = await openSandbox(networks, deps);
  const reserved: Reserved = [];
  let isWritten = false;
  try {
    const recorded = await deps.db.transaction(async (tx) => {
      const made = await recordIn(tx, { request, networks, sandbox, attempt }, reserved, deps);
      isWritten = true;
      return made;
    });
    if (sandbox !== undefined) await keepOrGiveBack(sandbox, recorded, deps);
    return recorded;
  } catch (error) {
    releaseReserved(reserved, request.holder, deps);
    // a commit whose answer was lost may have given it to its owner: then reconcile says whose it is
    const mayBeOwned = isWritten || violates(error, "sandboxes_netns");
    if (sandbox !== undefined && mayBeOwned) deps.pool.settle(sandbox);
    else if (sandbox !== undefined) await deps.pool.giveBack(sandbox);
    throw error;
  }
}

async function keepOrGiveBack(sandbox: Sandbox, { sandbox: used }: Recorded, { pool }: Deps): Promise<void> {
  if (used === sandbox) pool.settle(sandbox);
  else await pool.giveBack(sandbox);
}

async function recordIn(tx: Db, wish: NewHolder, reserved: Reserved, deps: Deps): Promise<Recorded> {
  const { request } = wish;
  await beginStep(tx, request.operation, `acquire the networks of ${request.holder}`);
  const holding = await insertNew(tx, wish, reserved, deps);
  if (holding !== undefined) return { holding, sandbox: wish.sandbox, change: "made" };
  const held = await holdingOf(tx, deps.node, request.holder);
  if (held === undefined) throw acquiredMeanwhile(request, undefined); // another replica releases it
  if (held.isActive) return { holding: held, sandbox: undefined, change: "kept" };
  return activate(tx, held, wish, reserved, deps);
}

/** Its addresses and chosen ports are still its own; what it named by number somebody else may have by now. */
async function activate(
  tx: Db,
  held: Holding,
  { request, sandbox, attempt }: NewHolder,
  reserved: Reserved,
  deps: Deps,
): Promise<Recorded> {
  const [first] = held.endpoints;
  const isFitting = sandbox?.veths[0]?.networkId === (first?.hostLink === "" ? undefined : first?.network.id);
  const used = isFitting ? sandbox : undefined;
  const netnsId = first?.network.driver === "host" ? undefined : (used?.id ?? newSandboxId());
  const holding = relink({ ...held, holderName: request.holderName, isActive: true, netnsId }, deps);
  for (const port of holding.ports) {
    if (await deps.hostPorts.reserve(hostPortOf(port), holding.holder)) reserved.push(port);
  }
  await recordEndpointEvents(tx, "connect", holding.holder, holding.endpoints);
  if (!(await activateHolding(tx, holding))) throw acquiredMeanwhile(request, undefined);
  // until now none of its networks led outside
  const ports =
    holding.ports.length > 0
      ? holding.ports
      : await portsFor(tx, { request, attempt }, holding.endpoints, reserved, deps);
  if (holding.ports.length === 0) await insertPorts(tx, deps.node, ports);
  return { holding: { ...holding, ports }, sandbox: used, change: "activated" };
}

async function networksOf(request: AcquireRequest, attempt: number, deps: Deps): Promise<Network[]> {
  const refs = request.endpoints.map(({ network }) => network);
  const find = attempt === 1 ? knownNetworks : findNetworks;
  const networks = await find(refs, `connect a container to ${refs.join(", ")}`, deps);
  const alone = networks.find(({ driver }) => driver !== "bridge");
  if (alone === undefined || networks.length === 1) return networks;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what: `connect a container to ${refs.join(", ")}`,
    why: `with the network ${alone.name} a container has no other one`,
    fix: "name either it or the others",
  });
}

async function openSandbox([first]: readonly Network[], { drivers }: Deps): Promise<Sandbox | undefined> {
  return first === undefined ? undefined : await drivers[first.driver].open(driverNetwork(first));
}

/** The error to answer with; undefined: it is worth another try. */
export async function explain(
  error: unknown,
  request: Pick<AcquireRequest, "holder" | "endpoints" | "ports">,
  { db, node }: Pick<Deps, "db" | "node">,
): Promise<unknown> {
  if (violates(error, "published_ports_free")) {
    const ports = (await holdingOf(db, node, request.holder))?.ports.map((port) => ({
      ...{ ...port, hostIps: [port.hostIp] },
      range: { from: port.hostPort, to: port.hostPort },
    }));
    return portConflict(
      ports === undefined || ports.length === 0 ? request.ports : ports,
      request.holder,
      await takenPorts(db, node),
    );
  }
  if (violates(error, "endpoints_address") || violates(error, "endpoints_address6"))
    return addressConflict(request, { db, node });
  const isPassing = ["endpoints_in_network", "sandboxes_netns"].some((constraint) => violates(error, constraint));
  const isDeadlock = error instanceof Error && "code" in error && error.code === "40P01";
  return isPassing || isDeadlock ? undefined : error;
}

async function addressConflict(
  { endpoints, holder }: Pick<AcquireRequest, "holder" | "endpoints">,
  { db, node }: Pick<Deps, "db" | "node">,
): Promise<CtlError | undefined> {
  const named = endpoints.flatMap(({ network, address, address6 }) =>
    [address, address6].map((one) => ({ ref: network, address: one })),
  );
  for (const { ref, address } of named.filter((one) => one.address !== "")) {
    const [network] = await findNetworks([ref], `use the address ${address}`, { db, node });
    const owner = network === undefined ? undefined : await addressOwner(db, network.id, address);
    if (owner === undefined || owner.holder === holder) continue;
    return new CtlError("ALREADY_EXISTS", {
      reason: "ADDRESS_IN_USE",
      what: `use the address ${address} on network "${network?.name}"`,
      why: `container ${owner.holderName === "" ? owner.holder.slice(0, 12) : `"${owner.holderName}"`} has it`,
      fix: "name another address, or none",
    });
  }
  return undefined;
}

function answer(
  holding: Holding,
  request: AcquireRequest,
  resolvers: HostResolvers,
  { firewall }: Pick<Deps, "firewall">,
): Acquired {
  const { text, warning } = resolvConfFor(holding, resolvers);
  const warnings = [
    ...(warning === undefined ? [] : [warning]),
    ...(request.ports.length > 0 && holding.ports.length === 0 ? [portsIgnored(holding)] : []),
    ...(holding.ports.some(({ hostIp }) => !hostIp.startsWith("127.") && hostIp !== "::1") ? firewall.warnings() : []),
  ];
  return { holding, resolvConf: text, warnings };
}

function resolvConfFor(holding: Holding, resolvers: HostResolvers): ResolvConf {
  const { endpoints, dnsServers } = holding;
  if (endpoints.some(({ network }) => network.driver === "host")) return { text: resolvers.own, warning: undefined };
  if (!isAsking(holding)) return { text: filteredResolvConf(resolvers.outside).text, warning: undefined };
  const { text, warning } = sandboxResolvConf(resolvers.own);
  // where nothing outside can be reached, nobody expects a resolver
  const wantsOutside = dnsServers.length === 0 && endpoints.some(({ network }) => hasOutside(network));
  return { text, warning: wantsOutside ? warning : undefined };
}

function portsIgnored({ endpoints }: Holding): string {
  const names = endpoints.map(({ network }) => network.name).join(", ");
  return endpoints.some(({ network }) => network.driver === "host")
    ? "published ports are ignored: with the host's network the container's ports are the host's own"
    : `published ports are ignored: nothing outside reaches the network ${names}`;
}

export function acquiredMeanwhile({ holder }: Pick<Holder, "holder">, cause: unknown): CtlError {
  return new CtlError("ABORTED", {
    reason: "ACQUIRED_MEANWHILE",
    what: `acquire the networks of ${holder}`,
    why: "others change the same networks or ports at the same time",
    fix: "try again",
    cause,
  });
}
