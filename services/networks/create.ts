import { randomBytes } from "node:crypto";
import { violates } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import { chooseAddresses } from "./choose-addresses.ts";
import type { Deps } from "./deps.ts";
import { attachmentOf } from "./drivers/bridge.ts";
import { isForwardingIpv6 } from "./drivers/forwarding.ts";
import { recordNetworkEvent } from "./events.ts";
import { aloneOnHost } from "./host/lock.ts";
import { bridgeName } from "./names.ts";
import { driverNetwork, hasFamily, type Network, poolsOf } from "./network.ts";
import { rebuildTable } from "./reconcile.ts";
import type { BridgeOptions } from "./requests/network-options.ts";
import type { AddressPlan, WantedAddresses } from "./requests/wanted-pool.ts";
import { allNetworks, deleteNetwork, insertNetwork, type NewNetwork } from "./store/networks.ts";

export interface CreateRequest {
  readonly name: string;
  readonly addresses: WantedAddresses;
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
  const wanted = (pools: readonly AddressPlan[]): NewNetwork => ({
    id,
    name: request.name,
    driver: "bridge",
    bridge: request.bridge.name ?? bridgeName(id),
    isBuiltIn: false,
    isInternal: request.isInternal,
    isAttachable: request.isAttachable,
    isMasqueraded: request.bridge.isMasqueraded,
    mtu: request.bridge.mtu,
    settings: request.bridge.settings,
    labels: request.labels,
    options: request.options,
    pools,
  });
  return await makeWithAddresses(wanted, request, deps, signal);
}

/** Alone on the host until the bridge stands, whose route the next one who chooses sees: of whichever instance. */
export async function makeWithAddresses(
  wanted: (pools: readonly AddressPlan[]) => NewNetwork,
  { name, addresses }: Pick<CreateRequest, "name" | "addresses">,
  deps: Deps,
  signal: AbortSignal,
): Promise<Network> {
  refuseSeveral(addresses);
  return await aloneOnHost(signal, async () => {
    return await makeBridge(wanted(await chooseAddresses(addresses, name, deps)), deps);
  });
}

/** A bridge has one gateway of a family. */
function refuseSeveral({ plans, families }: WantedAddresses): void {
  if (families.every((family) => poolsOf({ pools: plans }, family).length <= 1)) return;
  const facts = { why: "bridge driver doesn't support multiple subnets", fix: "name one --subnet of each family" };
  throw new CtlError("INVALID_ARGUMENT", { reason: "SEVERAL_SUBNETS_UNSUPPORTED", what: "create a network", ...facts });
}

async function makeBridge(wanted: NewNetwork, deps: Deps): Promise<Network> {
  const network = await recordNetwork(wanted, deps);
  try {
    await deps.drivers.bridge.ensure(driverNetwork(network));
    // with the rules that guard what this opens
    if (hasFamily(network, 6) && !isForwardingIpv6()) await rebuildTable(deps);
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
  { name, bridge, pools }: NewNetwork,
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
  if (!violates(error, "networks_subnet") && !violates(error, "pools_subnet")) return error;
  const networks = (await allNetworks(db, node)).filter((one) => one.pools.length > 0);
  const subnetsOf = (one: Pick<Network, "pools">) => one.pools.map(({ subnet }) => subnet).join(" and ");
  return new CtlError("FAILED_PRECONDITION", {
    reason: "SUBNET_IN_USE",
    what,
    why: `its subnet ${subnetsOf({ pools })} overlaps another network's (${networks.map((one) => `${one.name} ${subnetsOf(one)}`).join(", ")})`,
    fix: "choose another --subnet, or none for a free one",
    cause: error,
  });
}
