import { randomBytes } from "node:crypto";
import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { recordEndpointEvents } from "./events.ts";
import { type Endpoint, type Holding, hasOutside, type Port } from "./holding.ts";
import { parseAddress } from "./ipam/address.ts";
import { macOfAddress } from "./ipam/mac.ts";
import { isUsable, offsetOf, parseSubnet } from "./ipam/subnet.ts";
import { vethName } from "./names.ts";
import type { Network } from "./network.ts";
import { type Reserved, reservePorts } from "./ports/reserve.ts";
import type { AcquireRequest, EndpointRequest } from "./requests/acquire-request.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import { insertHolding, type NewEndpoint } from "./store/holdings.ts";
import { insertPorts, takenPorts } from "./store/ports.ts";

export interface NewHolder {
  readonly request: AcquireRequest;
  /** Of the request's endpoints, in their order. */
  readonly networks: readonly Network[];
  /** Undefined: the holder shares the host's network. */
  readonly sandbox: Sandbox | undefined;
  /** 1: nobody has been met yet who wants the same. */
  readonly attempt: number;
}

/**
 * The rows of a holder that has none; undefined: it has some. Throws INVALID_ARGUMENT ADDRESS_OUTSIDE; RESOURCE_EXHAUSTED NETWORK_FULL; what
 * `reservePorts` throws; and violates what `insertHolding` and `insertPorts` violate.
 */
export async function insertNew(tx: Db, wish: NewHolder, reserved: Reserved, deps: Deps): Promise<Holding | undefined> {
  const { request, networks, sandbox } = wish;
  const { holder, holderName, operation: acquiredBy, dnsServers } = request;
  const netnsId = sandbox?.id;
  const wanted = networks.map((network, position) => newEndpoint(network, request.endpoints[position]));
  const linked = relink({ netnsId, endpoints: wanted }, deps).endpoints;
  const addresses = await insertHolding(tx, deps.node, {
    holder,
    holderName,
    acquiredBy,
    netnsId,
    dnsServers,
    endpoints: linked,
  });
  if (addresses === undefined) return undefined;
  const endpoints = linked.map((endpoint) => addressed(endpoint, addresses.get(endpoint.id) ?? ""));
  const ports = await portsFor(tx, wish, linked, reserved, deps);
  await insertPorts(tx, deps.node, ports);
  await recordEndpointEvents(tx, "connect", holder, linked);
  return { holder, holderName, acquiredBy, netnsId, isActive: true, endpoints, ports, dnsServers };
}

/** The names of the host's ends: the first veth's goes with the sandbox, which is another one at each start. */
export function relink<H extends { readonly netnsId: string | undefined; readonly endpoints: readonly NewEndpoint[] }>(
  holding: H,
  { names }: Pick<Deps, "names">,
): H {
  let links = 0;
  const endpoints = holding.endpoints.map((endpoint) => {
    if (endpoint.network.driver !== "bridge") return endpoint;
    const position = links++;
    const hex = position === 0 && holding.netnsId !== undefined ? holding.netnsId : endpoint.id;
    return { ...endpoint, interfaceName: `eth${position}`, hostLink: vethName(names, hex) };
  });
  return { ...holding, endpoints };
}

function newEndpoint(network: Network, request: EndpointRequest | undefined): NewEndpoint {
  const { aliases = [], address = "", mac = "" } = request ?? {};
  const id = randomBytes(32).toString("hex");
  if (address !== "") checkAddress(network, address);
  return { id, network, interfaceName: "", hostLink: "", address, mac, aliases };
}

function checkAddress(network: Network, address: string): void {
  const isInside = network.subnet !== "" && offsetOf(parseSubnet(network.subnet), parseAddress(address)) !== undefined;
  const isGivable = isInside && isUsable(parseSubnet(network.subnet), address) && address !== network.gateway;
  if (isGivable) return;
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "ADDRESS_OUTSIDE",
    what: `use the address ${address} on network "${network.name}"`,
    why: isInside
      ? "it is the network's own, its broadcast or its gateway"
      : `the network ${network.subnet === "" ? "gives no addresses" : `is ${network.subnet}`}`,
    fix: "name one of the network's addresses, or none",
  });
}

/** Ports lead to the first interface that is reachable from outside; without one there are none. */
async function portsFor(
  tx: Db,
  { request, attempt }: NewHolder,
  endpoints: readonly NewEndpoint[],
  reserved: Reserved,
  deps: Deps,
): Promise<Port[]> {
  const target = endpoints.find(({ network }) => hasOutside(network));
  if (target === undefined || request.ports.length === 0) return [];
  const isRange = request.ports.some(({ range }) => range !== undefined && range.from !== range.to);
  // in the whole ephemeral range a random port is free nearly always, so who has which is asked only after a failure
  const taken = isRange || attempt > 1 ? await takenPorts(tx, deps.node) : [];
  const wanted = { holder: request.holder, endpointId: target.id, requests: request.ports };
  return await reservePorts(wanted, taken, reserved, deps);
}

function addressed(endpoint: NewEndpoint, address: string): Endpoint {
  const { network, mac } = endpoint;
  if (network.subnet !== "" && address === "") throw networkFull(network.name, network.subnet);
  return { ...endpoint, address, mac: mac === "" && address !== "" ? macOfAddress(address) : mac };
}

function networkFull(name: string, subnet: string): CtlError {
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "NETWORK_FULL",
    what: `find an address on network "${name}"`,
    why: `all of ${subnet} are given to containers, stopped ones included`,
    fix: "remove containers, or make a network with a larger subnet",
  });
}
