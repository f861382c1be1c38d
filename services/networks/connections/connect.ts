import type { Db } from "../../kit/database.ts";
import { CtlError } from "../../kit/errors.ts";
import { beginStep, beginUndo } from "../../kit/outbox.ts";
import { ATTEMPTS, acquiredMeanwhile, explain } from "../acquire.ts";
import type { Deps } from "../deps.ts";
import { recordEndpointEvents } from "../events.ts";
import { findNetwork, findNetworks } from "../find.ts";
import { defaultRouteEndpoint, type Endpoint, type Holder, type Holding } from "../holding.ts";
import { bringUp, reserveAll } from "../host/bring-up.ts";
import { vethName } from "../names.ts";
import type { Network } from "../network.ts";
import { addressed, newEndpoint, portsFor } from "../new-holding.ts";
import { type Reserved, releaseReserved } from "../ports/reserve.ts";
import type { EndpointRequest, PortRequest } from "../requests/acquire-request.ts";
import { movePorts, nextPosition } from "../store/connections.ts";
import { insertHolding, lockHolding } from "../store/holdings.ts";
import { insertPorts } from "../store/ports.ts";
import { attach } from "./attach.ts";
import { detach } from "./detach.ts";

export interface ConnectRequest extends Holder {
  readonly endpoint: EndpointRequest;
  /** To publish where the holder has no port yet and comes to lead outside. */
  readonly ports: readonly PortRequest[];
  /** What a holder asks for that has nothing yet. */
  readonly beside: readonly string[];
}

export interface Connected {
  readonly network: Network;
  /** Undefined: the holder has nothing yet, and is connected when it is acquired. */
  readonly holding: Holding | undefined;
}

/**
 * One more network for a holder, on the host too while it is active. The rows are one transaction, then comes the host; done
 * again it answers the same, and on a network that it is on already it changes nothing: the endpoint says who connected it.
 * The default route and the published ports move only where the priority says so, or where there were none.
 * Throws NOT_FOUND NETWORK_NOT_FOUND; INVALID_ARGUMENT NETWORK_MODE_CONFLICT, ADDRESS_OUTSIDE; ALREADY_EXISTS ADDRESS_IN_USE,
 * PORT_ALREADY_PUBLISHED; RESOURCE_EXHAUSTED NETWORK_FULL; ABORTED ACQUIRED_MEANWHILE.
 */
export async function connect(request: ConnectRequest, deps: Deps, signal: AbortSignal): Promise<Connected> {
  using _turn = await deps.turns.take(request.holder, signal);
  deps.removals.postpone();
  const { network, holding, before } = await record(request, deps);
  if (holding === undefined || !holding.isActive) return { network, holding };
  const endpoint = holding.endpoints.find((one) => one.network.id === network.id);
  try {
    if (before === undefined || endpoint === undefined) {
      await reserveAll(holding, deps);
      await bringUp(holding, undefined, deps);
    } else await attach({ before, after: holding, endpoint }, deps);
    await deps.dns.put(holding);
  } catch (error) {
    if (before !== undefined && endpoint !== undefined) await withdraw(holding, endpoint, deps);
    throw error;
  }
  return { network, holding };
}

/** Takes back what this operation connected, and nothing else. It leaves a tombstone: a connect that comes late is refused. */
export async function undoConnect({ holder, operation }: Holder, deps: Deps, signal: AbortSignal): Promise<void> {
  using _turn = await deps.turns.take(holder, signal);
  const held = await deps.db.transaction(async (tx) => {
    await beginUndo(tx, operation);
    return lockHolding(tx, deps.node, holder);
  });
  const endpoint = held?.endpoints.find(({ connectedBy }) => connectedBy === operation);
  if (held !== undefined && endpoint !== undefined) await detach(held, endpoint, deps);
}

interface Recorded extends Connected {
  /** What it had before this call; undefined: it was on the network already. */
  readonly before: Holding | undefined;
}

async function record(request: ConnectRequest, deps: Deps): Promise<Recorded> {
  for (let attempt = 1; ; attempt++) {
    const reserved: Reserved = [];
    try {
      const what = `connect container ${request.holder.slice(0, 12)} to network "${request.endpoint.network}"`;
      const network = await findNetwork(request.endpoint.network, what, deps);
      return await deps.db.transaction((tx) => recordIn(tx, { request, network, attempt, what }, reserved, deps));
    } catch (error) {
      releaseReserved(reserved, request.holder, deps);
      const known = await explain(error, { ...request, endpoints: [request.endpoint] }, deps);
      if (known !== undefined) throw known;
      if (attempt === ATTEMPTS) throw acquiredMeanwhile(request, error);
    }
  }
}

interface Wish {
  readonly request: ConnectRequest;
  readonly network: Network;
  readonly attempt: number;
  readonly what: string;
}

async function recordIn(tx: Db, wish: Wish, reserved: Reserved, deps: Deps): Promise<Recorded> {
  const { request, network, what } = wish;
  await beginStep(tx, request.operation, what);
  const before = await lockHolding(tx, deps.node, request.holder);
  refuseAlone(network, before?.endpoints.map((one) => one.network) ?? (await wanted(request, what, deps)), what);
  if (before === undefined) {
    newEndpoint(network, request.endpoint); // its address is looked at
    return { network, holding: undefined, before };
  }
  if (before.endpoints.some((one) => one.network.id === network.id))
    return { network, holding: before, before: undefined };
  const endpoint = await insertInto(tx, before, wish, deps);
  const endpoints = [...before.endpoints, endpoint];
  const ports = await portsOf(tx, { ...before, endpoints }, wish, reserved, deps);
  if (before.isActive) await recordEndpointEvents(tx, "connect", before.holder, [endpoint]);
  return { network, holding: { ...before, endpoints, ports }, before };
}

async function insertInto(tx: Db, before: Holding, { request, network }: Wish, deps: Deps): Promise<Endpoint> {
  const { holder, holderName, acquiredBy, netnsId, dnsServers } = before;
  const bare = newEndpoint(network, request.endpoint, request.operation);
  const links = { interfaceName: freeName(network, before.endpoints), hostLink: vethName(deps.names, bare.id) };
  const endpoint = network.driver === "bridge" ? { ...bare, ...links } : bare;
  const addresses = await insertHolding(tx, deps.node, {
    ...{ holder, holderName, acquiredBy, netnsId, dnsServers },
    endpoints: [endpoint],
    firstPosition: await nextPosition(tx, holder),
  });
  return addressed(endpoint, addresses?.[0]);
}

/** A stopped holder's are looked at when it is started. */
async function portsOf(
  tx: Db,
  { holder, isActive, endpoints, ports }: Holding,
  { request, attempt }: Wish,
  reserved: Reserved,
  deps: Deps,
): Promise<Holding["ports"]> {
  const target = defaultRouteEndpoint(endpoints);
  if (target === undefined) return ports;
  if (ports.length > 0) {
    await movePorts(tx, holder, target.id);
    return ports.map((port) => ({ ...port, endpointId: target.id }));
  }
  if (!isActive) return ports;
  const published = await portsFor(tx, { request, attempt }, endpoints, reserved, deps);
  await insertPorts(tx, deps.node, published);
  return published;
}

/** The lowest that no interface of the holder has. */
function freeName({ settings: { interfacePrefix = "eth" } }: Network, endpoints: readonly Endpoint[]): string {
  const names = new Set(endpoints.map(({ interfaceName }) => interfaceName));
  for (let number = 0; ; number++) if (!names.has(`${interfacePrefix}${number}`)) return `${interfacePrefix}${number}`;
}

/** Of those that are not there any more its start will tell. */
async function wanted({ beside }: ConnectRequest, what: string, deps: Deps): Promise<Network[]> {
  const found = await Promise.all(beside.map((ref) => findNetworks([ref], what, deps).catch(() => [])));
  return found.flat();
}

/** Where a container has the host's network, or none, there is nothing that another could stand beside. */
function refuseAlone(network: Network, others: readonly Pick<Network, "id" | "name" | "driver">[], what: string): void {
  const alone = [...others, network].find(({ driver }) => driver === "host" || driver === "none");
  if (alone === undefined) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_MODE_CONFLICT",
    what,
    why:
      alone.driver === "host"
        ? "a container with the host's network can be neither connected to another network nor disconnected from it"
        : "a container with the network none has no other one",
    fix: "create the container on another network",
  });
}

/** After the host refused what the rows say: as it was before, whoever undoes it or does not. */
async function withdraw(holding: Holding, endpoint: Endpoint, deps: Deps): Promise<void> {
  try {
    await detach(holding, endpoint, deps);
  } catch (error) {
    deps.log.warn({ "container.id": holding.holder, err: error }, "a failed connection's rows stay until it is undone");
  }
}
