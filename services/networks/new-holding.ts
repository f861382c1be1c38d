import { randomBytes } from "node:crypto";
import type { Db } from "../kit/database.ts";
import { CtlError } from "../kit/errors.ts";
import type { Deps } from "./deps.ts";
import { recordEndpointEvents } from "./events.ts";
import { defaultRouteEndpoint, type Endpoint, type Holding, type Port } from "./holding.ts";
import { FAMILIES, familyOf, parseAddress } from "./ipam/address.ts";
import { isUsable, parseSubnet } from "./ipam/subnet.ts";
import { vethName } from "./names.ts";
import { hasFamily, type Network, type NetworkFacts, type PoolFacts, poolsOf, poolWith } from "./network.ts";
import { ALL_IPV6, hasIpv6 } from "./ports/host-ports.ts";
import { type Reserved, reservePorts } from "./ports/reserve.ts";
import type { AcquireRequest, EndpointRequest, PortRequest } from "./requests/acquire-request.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import { macOf } from "./store/endpoints.ts";
import { type GivenAddresses, insertHolding, type NewEndpoint } from "./store/holdings.ts";
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
  const byId = new Map(addresses.map((given) => [given.id, given]));
  const endpoints = linked.map((endpoint) => addressed(endpoint, byId.get(endpoint.id)));
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
  const named = new Map<string, number>();
  const endpoints = holding.endpoints.map((endpoint) => {
    if (endpoint.network.driver !== "bridge") return endpoint;
    const hex = links++ === 0 && holding.netnsId !== undefined ? holding.netnsId : endpoint.id;
    const prefix = endpoint.network.settings.interfacePrefix ?? "eth";
    const position = named.get(prefix) ?? 0;
    named.set(prefix, position + 1);
    return { ...endpoint, interfaceName: `${prefix}${position}`, hostLink: vethName(names, hex) };
  });
  return { ...holding, endpoints };
}

/** Throws INVALID_ARGUMENT ADDRESS_OUTSIDE, ALIAS_REFUSED. */
export function newEndpoint(network: Network, request: EndpointRequest | undefined, connectedBy = ""): NewEndpoint {
  const {
    aliases = [],
    address = "",
    address6 = "",
    mac = "",
    gwPriority = 0,
    links = [],
    sysctls = {},
  } = request ?? {};
  const id = randomBytes(32).toString("hex");
  for (const one of [address, address6]) if (one !== "") checkAddress(network, one);
  if (network.name === "bridge" && aliases.length + links.length > 0) throw aliasRefused();
  const asked = { address, address6, mac, aliases, gwPriority, links, sysctls };
  return { id, network, interfaceName: "", hostLink: "", ...asked, connectedBy };
}

/** On the default bridge containers have no names, as in Docker: one more would be without effect. */
function aliasRefused(): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "ALIAS_REFUSED",
    what: 'connect a container to network "bridge"',
    why: "network-scoped alias is supported only for containers in user defined networks",
    fix: "leave aliases and links out, or use a network of your own (ctl network create)",
  });
}

function checkAddress(network: Network, address: string): void {
  const { family } = parseAddress(address);
  const pool = poolWith(network, address);
  const taken = pool === undefined ? [] : [pool.gateway, ...Object.values(pool.auxAddresses)];
  if (pool !== undefined && isUsable(parseSubnet(pool.subnet), address) && !taken.includes(address)) return;
  const subnets = poolsOf(network, family).map(({ subnet }) => subnet);
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "ADDRESS_OUTSIDE",
    what: `use the address ${address} on network "${network.name}"`,
    why:
      pool !== undefined
        ? "it is the network's own, its broadcast, its gateway or an auxiliary address"
        : `the network ${subnets.length === 0 ? `gives no IPv${family} addresses` : `is ${subnets.join(", ")}`}`,
    fix: "name one of the network's addresses, or none",
  });
}

/** Ports lead to the interface that has the default route; without one there are none. */
export async function portsFor(
  tx: Db,
  { request, attempt }: { readonly request: Pick<AcquireRequest, "holder" | "ports">; readonly attempt: number },
  endpoints: readonly NewEndpoint[],
  reserved: Reserved,
  deps: Deps,
): Promise<Port[]> {
  const target = defaultRouteEndpoint(endpoints);
  if (target === undefined || request.ports.length === 0) return [];
  const isRange = request.ports.some(({ range }) => range !== undefined && range.from !== range.to);
  // in the whole ephemeral range a random port is free nearly always, so who has which is asked only after a failure
  const taken = isRange || attempt > 1 ? await takenPorts(tx, deps.node) : [];
  const requests = request.ports.map((port) => ({ ...port, hostIps: reachable(port, target) }));
  const wanted = { holder: request.holder, endpointId: target.id, requests };
  return await reservePorts(wanted, taken, reserved, deps);
}

/** All of the host's addresses are of both families where it has both, and SCTP is carried from none to the other. */
export function reachable(
  { hostIps, protocol }: PortRequest,
  { network }: { readonly network: NetworkFacts },
): readonly string[] {
  if (hostIps.length === 1) return hostIps;
  // as in Docker such a port is IPv4's alone
  if (network.settings.hostBinding !== undefined) return [network.settings.hostBinding];
  const isCarried = protocol !== "sctp";
  return hostIps.filter((hostIp) => {
    if (hostIp === ALL_IPV6 && !hasIpv6()) return false;
    return isCarried || hasFamily(network, familyOf(hostIp));
  });
}

/** Throws RESOURCE_EXHAUSTED NETWORK_FULL. */
export function addressed(endpoint: NewEndpoint, given: GivenAddresses | undefined): Endpoint {
  const addresses = { address: given?.address ?? "", address6: given?.address6 ?? "" };
  for (const family of FAMILIES) {
    const pools = poolsOf(endpoint.network, family);
    const isMissing = (family === 4 ? addresses.address : addresses.address6) === "";
    if (pools.length > 0 && isMissing) throw networkFull(endpoint.network.name, pools);
  }
  return { ...endpoint, ...addresses, mac: macOf({ ...addresses, mac: endpoint.mac }) };
}

function networkFull(name: string, pools: readonly PoolFacts[]): CtlError {
  return new CtlError("RESOURCE_EXHAUSTED", {
    reason: "NETWORK_FULL",
    what: `find an address on network "${name}"`,
    why: `all of ${pools.map(({ subnet }) => subnet).join(", ")} are given to containers, stopped ones included`,
    fix: "remove containers, or make a network with a larger subnet",
  });
}
