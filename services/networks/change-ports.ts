import { type Db, violates } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { recordPortEvents } from "./events.ts";
import { forwardRules, type Holding, hasOutside, hostPortOf, type Port, portRules } from "./holding.ts";
import { forgetFlows } from "./host/bring-up.ts";
import { reachable } from "./new-holding.ts";
import { portConflict, type Reserved, releaseReserved, reservePorts } from "./ports/reserve.ts";
import type { PortRequest } from "./requests/acquire-request.ts";
import { lockHolding } from "./store/holdings.ts";
import { deletePorts, insertPorts, nextPosition, takenPorts } from "./store/ports.ts";

export interface PortsWish {
  readonly holder: string;
  readonly add: readonly PortRequest[];
  readonly remove: readonly PortRequest[];
}

interface Rewritten {
  readonly holding: Holding;
  readonly added: readonly Port[];
  readonly removed: readonly Port[];
}

/**
 * Other published ports for a container that runs, in its rows and at once on the host; all of it or nothing. What it has
 * already is no error. Answers what it has then. Throws what `reservePorts` throws; FAILED_PRECONDITION
 * CONTAINER_NOT_RUNNING, NETWORK_UNREACHABLE; NOT_FOUND PORT_NOT_PUBLISHED; ALREADY_EXISTS PORT_ALREADY_PUBLISHED.
 */
export async function changePorts(wish: PortsWish, deps: Deps, signal: AbortSignal): Promise<Holding> {
  using _turn = await deps.turns.take(wish.holder, signal);
  const reserved: Reserved = [];
  const { holding, added, removed } = await record(wish, reserved, deps);
  const rulesOf = (ports: readonly Port[]) => portRules({ ...holding, ports });
  try {
    await deps.ruleset.changePorts({ add: rulesOf(added), remove: rulesOf(removed) });
  } catch (error) {
    await deps.db.transaction((tx) => rewrite(tx, { holding, added: removed, removed: added }, deps));
    releaseReserved(reserved, wish.holder, deps);
    throw error;
  }
  deps.forwarders.put(wish.holder, forwardRules(holding));
  await forgetFlows(rulesOf([...added, ...removed]), deps);
  for (const port of removed) deps.hostPorts.release(hostPortOf(port), wish.holder);
  if (added.length > 0) await deps.firewall.refresh();
  return holding;
}

async function record(wish: PortsWish, reserved: Reserved, deps: Deps): Promise<Rewritten> {
  try {
    return await deps.db.transaction(async (tx) => {
      const held = await lockHolding(tx, deps.node, wish.holder);
      if (held?.isActive !== true) throw notRunning(wish.holder);
      const removed = wish.remove.flatMap((one) => published(one, held));
      const kept = held.ports.filter((port) => !removed.includes(port));
      const added = await reserveNew(tx, wish, { ...held, ports: kept }, reserved, deps);
      const rewritten = { holding: { ...held, ports: [...kept, ...added] }, added, removed };
      await rewrite(tx, rewritten, deps);
      return rewritten;
    });
  } catch (error) {
    releaseReserved(reserved, wish.holder, deps);
    if (!violates(error, "published_ports_free")) throw error;
    throw portConflict(wish.add, wish.holder, await takenPorts(deps.db, deps.node)) ?? error;
  }
}

async function rewrite(tx: Db, { holding, added, removed }: Rewritten, { node }: Pick<Deps, "node">): Promise<void> {
  await deletePorts(tx, node, removed);
  const [first] = added;
  if (first !== undefined) await insertPorts(tx, node, added, await nextPosition(tx, first.endpointId));
  await recordPortEvents(tx, "unpublish", holding.holder, removed);
  await recordPortEvents(tx, "publish", holding.holder, added);
}

async function reserveNew(tx: Db, { add }: PortsWish, held: Holding, reserved: Reserved, deps: Deps): Promise<Port[]> {
  const missing = add.filter((one) => !isThere(one, held));
  if (missing.length === 0) return [];
  const target = held.endpoints.find(({ network }) => hasOutside(network));
  if (target === undefined) throw unreachable(held);
  const requests = missing.map((one) => ({ ...one, hostIps: reachable(one, target) }));
  const wanted = { holder: held.holder, endpointId: target.id, requests };
  return reservePorts(wanted, await takenPorts(tx, deps.node), reserved, deps);
}

/** The very port is asked for that it has: done again it changes nothing. */
function isThere({ range, containerPort, protocol, hostIps }: PortRequest, { ports }: Holding): boolean {
  if (range === undefined || range.from !== range.to) return false;
  const fits = (port: Port) =>
    port.hostPort === range.from && port.containerPort === containerPort && port.protocol === protocol;
  return ports.some((port) => fits(port) && hostIps.includes(port.hostIp));
}

function published({ range, containerPort, protocol, hostIps }: PortRequest, { ports, holder }: Holding): Port[] {
  const found = ports.filter(
    (port) =>
      port.containerPort === containerPort &&
      port.protocol === protocol &&
      (range === undefined || (range.from <= port.hostPort && port.hostPort <= range.to)) &&
      (hostIps.includes("") || hostIps.includes(port.hostIp)),
  );
  if (found.length > 0) return found;
  throw new CtlError("NOT_FOUND", {
    reason: "PORT_NOT_PUBLISHED",
    what: `take back the published port ${containerPort}/${protocol}`,
    why: `container ${holder.slice(0, 12)} does not publish it so`,
    fix: "ctl port shows what it publishes",
  });
}

function notRunning(holder: string): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "CONTAINER_NOT_RUNNING",
    what: "change published ports",
    why: `container ${holder.slice(0, 12)} does not run`,
    fix: `start it (ctl start ${holder.slice(0, 12)})`,
  });
}

function unreachable({ endpoints }: Holding): CtlError {
  return new CtlError("FAILED_PRECONDITION", {
    reason: "NETWORK_UNREACHABLE",
    what: "publish ports",
    why: `nothing outside reaches the network ${endpoints.map(({ network }) => network.name).join(", ")}`,
    fix: "connect the container to a network that leads outside",
  });
}
