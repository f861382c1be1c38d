import { randomBytes } from "node:crypto";
import { violates } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { attachmentOf } from "./drivers/bridge.ts";
import { recordNetworkEvent } from "./events.ts";
import { aloneOnHost } from "./host/lock.ts";
import { chooseSubnet, defaultGateway } from "./ipam/pools.ts";
import { formatSubnet, parseSubnet } from "./ipam/subnet.ts";
import { bridgeName } from "./names.ts";
import { driverNetwork, type Network } from "./network.ts";
import type { BridgeOptions } from "./requests/network-options.ts";
import { type AddressPlan, addressPlan } from "./requests/wanted-pool.ts";
import { allNetworks, deleteNetwork, insertNetwork, type NewNetwork } from "./store/networks.ts";

export interface CreateRequest {
  readonly name: string;
  /** Undefined: a free subnet. */
  readonly pool: AddressPlan | undefined;
  readonly isInternal: boolean;
  readonly isAttachable: boolean;
  readonly labels: Network["labels"];
  /** As they were given, and what they mean. */
  readonly options: Network["options"];
  readonly bridge: BridgeOptions;
}

/**
 * A bridge network that a person asks for. Throws ALREADY_EXISTS NETWORK_NAME_IN_USE; FAILED_PRECONDITION SUBNET_IN_USE and
 * LINK_NAME_IN_USE; RESOURCE_EXHAUSTED ADDRESS_POOLS_EXHAUSTED.
 */
export async function createNetwork(request: CreateRequest, deps: Deps, signal: AbortSignal): Promise<Network> {
  const id = randomBytes(32).toString("hex");
  const wanted = (pool: AddressPlan): NewNetwork => ({
    id,
    name: request.name,
    driver: "bridge",
    bridge: request.bridge.name ?? bridgeName(id),
    isBuiltIn: false,
    isInternal: request.isInternal,
    isAttachable: request.isAttachable,
    isMasqueraded: request.bridge.isMasqueraded,
    mtu: request.bridge.mtu,
    labels: request.labels,
    options: request.options,
    ...pool,
  });
  return request.pool === undefined
    ? await makeOnFreeSubnet(wanted, deps, signal)
    : await makeBridge(wanted(request.pool), deps);
}

/** Alone on the host until the bridge stands, whose route the next one who chooses sees: of whichever instance. */
export async function makeOnFreeSubnet(
  wanted: (pool: AddressPlan) => NewNetwork,
  deps: Deps,
  signal: AbortSignal,
): Promise<Network> {
  return await aloneOnHost(signal, async () => {
    const routes = await deps.thread.call("listHostRoutes", undefined);
    const networks = await allNetworks(deps.db, deps.node);
    const taken = [...routes.map(({ destination }) => destination), ...networks.map(({ subnet }) => subnet)];
    const subnet = chooseSubnet(deps.addressPools, taken.filter((text) => text !== "").map(parseSubnet));
    const pool = { subnet: formatSubnet(subnet), ipRange: "", gateway: defaultGateway(subnet) };
    return await makeBridge(wanted(addressPlan(pool)), deps);
  });
}

async function makeBridge(wanted: NewNetwork, deps: Deps): Promise<Network> {
  const network = await recordNetwork(wanted, deps);
  try {
    await deps.drivers.bridge.ensure(driverNetwork(network));
  } catch (error) {
    await deps.db.transaction(async (tx) => {
      await deleteNetwork(tx, network.id);
      if (!network.isBuiltIn) await recordNetworkEvent(tx, "destroy", network);
    });
    throw error;
  }
  deps.pool.keep(attachmentOf(driverNetwork(network)));
  deps.known.add(network);
  return network;
}

async function recordNetwork(wanted: NewNetwork, { db, node }: Pick<Deps, "db" | "node">): Promise<Network> {
  try {
    return await db.transaction(async (tx) => {
      const network = await insertNetwork(tx, node, wanted);
      if (!network.isBuiltIn) await recordNetworkEvent(tx, "create", network);
      return network;
    });
  } catch (error) {
    throw await conflictOf(error, wanted, { db, node });
  }
}

async function conflictOf(
  error: unknown,
  { name, bridge, subnet }: NewNetwork,
  { db, node }: Pick<Deps, "db" | "node">,
): Promise<unknown> {
  const what = `create network "${name}"`;
  if (violates(error, "networks_name")) {
    return new CtlError("ALREADY_EXISTS", {
      reason: "NETWORK_NAME_IN_USE",
      what,
      why: "a network has that name",
      fix: `choose another name, or look at it with ctl network inspect ${name}`,
      cause: error,
    });
  }
  if (violates(error, "networks_bridge")) {
    return new CtlError("FAILED_PRECONDITION", {
      reason: "LINK_NAME_IN_USE",
      what,
      why: `another network's bridge is called ${bridge}`,
      fix: "choose another com.docker.network.bridge.name",
      cause: error,
    });
  }
  if (!violates(error, "networks_subnet")) return error;
  const networks = await allNetworks(db, node);
  return new CtlError("FAILED_PRECONDITION", {
    reason: "SUBNET_IN_USE",
    what,
    why: `its subnet ${subnet} overlaps another network's (${networks.map((one) => `${one.name} ${one.subnet}`).join(", ")})`,
    fix: "choose another --subnet, or none for a free one",
    cause: error,
  });
}
