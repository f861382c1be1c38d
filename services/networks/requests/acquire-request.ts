import { isIP, isIPv4, isIPv6 } from "node:net";
import { CtlError } from "../../kit/errors.ts";
import type { Holder } from "../holding.ts";
import { type Family, formatAddress, parseAddress } from "../ipam/address.ts";
import { parseMac } from "../ipam/mac.ts";
import type { PortProtocol } from "../nftables/ports.ts";
import { ALL_IPV6, type PortRange } from "../ports/host-ports.ts";
import type { Sysctls } from "../sandbox/sysctls.ts";
import { parseDriverOptions, parseGwPriority, parseLinks } from "./endpoint-options.ts";

export interface AcquireRequest extends Holder {
  /** The container's name, for showing. */
  readonly holderName: string;
  readonly endpoints: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  readonly dnsServers: readonly string[];
}

/** What a container asks for on one network. */
export interface EndpointRequest {
  /** Name, id or prefix. */
  readonly network: string;
  readonly aliases: readonly string[];
  /** Empty: a free one, as of IPv6 and for the MAC. */
  readonly address: string;
  readonly address6: string;
  readonly mac: string;
  /** The default route goes through the network with the highest. */
  readonly gwPriority: number;
  /** container:alias, for this container alone. */
  readonly links: readonly string[];
  /** Of its interface, with IFNAME for the name. */
  readonly sysctls: Sysctls;
}

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** Where it is published: an address, empty for all of IPv4, `::` for all of IPv6. */
  readonly hostIps: readonly string[];
  /** One port, or several of which a free one is taken; undefined: any. */
  readonly range: PortRange | undefined;
}

export interface EndpointInput {
  readonly network: string;
  readonly aliases: readonly string[];
  readonly ipv4Address: string;
  readonly ipv6Address: string;
  readonly macAddress: string;
  readonly gwPriority?: number;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly links?: readonly string[];
}

export interface PortInput {
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp: string;
  readonly hostPort: number;
  readonly hostPortEnd: number;
}

const PROTOCOLS = ["tcp", "udp", "sctp"] as const;
const DEFAULT_NETWORK = "bridge";
const NOTHING_SAID: EndpointInput = { network: "", aliases: [], ipv4Address: "", ipv6Address: "", macAddress: "" };

/**
 * Throws INVALID_ARGUMENT ADDRESS_INVALID, MAC_INVALID, NETWORK_TWICE, ENDPOINT_OPTION_REFUSED, LINK_INVALID; UNIMPLEMENTED
 * NETWORK_MODE_UNSUPPORTED.
 */
export function parseEndpoints(inputs: readonly EndpointInput[]): EndpointRequest[] {
  const endpoints = (inputs.length === 0 ? [NOTHING_SAID] : inputs).map(parseEndpoint);
  const names = new Set(endpoints.map(({ network }) => network));
  if (names.size < endpoints.length) throw networkTwice([...names].join(", "));
  return endpoints;
}

/** The same of one network. */
export function parseEndpoint(input: EndpointInput): EndpointRequest {
  const { network, aliases, ipv4Address, ipv6Address, macAddress } = input;
  const { gwPriority = 0, driverOptions = {}, links = [] } = input;
  return {
    network: network === "" || network === "default" ? DEFAULT_NETWORK : refuseMode(network),
    aliases,
    address: ipv4Address === "" ? "" : parseOf(4, ipv4Address),
    address6: ipv6Address === "" ? "" : parseOf(6, ipv6Address),
    mac: macAddress === "" ? "" : parseMac(macAddress),
    gwPriority: parseGwPriority(gwPriority),
    links: parseLinks(links),
    sysctls: parseDriverOptions(driverOptions),
  };
}

/** Throws INVALID_ARGUMENT PORT_INVALID, ADDRESS_INVALID. The same mapping twice is one. */
export function parsePorts(inputs: readonly PortInput[]): PortRequest[] {
  const requests = inputs.map(parsePort);
  const seen = new Set<string>();
  return requests.filter((request) => {
    const isAgain = request.range !== undefined && seen.has(JSON.stringify(request)); // a random port twice is two
    seen.add(JSON.stringify(request));
    return !isAgain;
  });
}

function parsePort({ containerPort, protocol, hostIp, hostPort, hostPortEnd }: PortInput): PortRequest {
  const known = PROTOCOLS.find((one) => one === (protocol === "" ? "tcp" : protocol));
  if (known === undefined)
    throw portInvalid(`${containerPort}/${protocol}`, "the protocol is none of tcp, udp and sctp");
  if (!isPort(containerPort)) throw portInvalid(String(containerPort), "the container's port is not 1 to 65535");
  const end = hostPortEnd === 0 ? hostPort : hostPortEnd;
  const isRange = isPort(hostPort) && isPort(end) && end >= hostPort;
  if (hostPort !== 0 && !isRange) throw portInvalid(`${hostPort}-${end}`, "the host's ports are not 1 to 65535");
  return {
    containerPort,
    protocol: known,
    hostIps: parseHostIp(hostIp),
    range: hostPort === 0 ? undefined : { from: hostPort, to: end },
  };
}

function parseHostIp(text: string): string[] {
  if (text === "") return ["", ALL_IPV6];
  const address = parseOf(isIPv6(text) ? 6 : 4, text);
  return [address === "0.0.0.0" ? "" : address];
}

function parseOf(family: Family, text: string): string {
  if (isIP(text) === family && !text.includes("%")) return formatAddress(parseAddress(text).bytes);
  throw new CtlError("INVALID_ARGUMENT", {
    reason: "ADDRESS_INVALID",
    what: `read the address "${text}"`,
    why: `it is no IPv${family} address`,
    fix: `write it like ${family === 4 ? "172.17.0.2" : "fd00::2"}`,
  });
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function refuseMode(network: string): string {
  if (!network.startsWith("container:")) return network;
  throw new CtlError("UNIMPLEMENTED", {
    reason: "NETWORK_MODE_UNSUPPORTED",
    what: `use the network "${network}"`,
    why: "who shares another container's network has nothing of its own here",
    fix: "connect the other container, or start this one with a network of its own",
  });
}

function networkTwice(names: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "NETWORK_TWICE",
    what: `use the networks ${names}`,
    why: "one of them is named twice",
    fix: "name each network once",
  });
}

function portInvalid(text: string, why: string): CtlError {
  return new CtlError("INVALID_ARGUMENT", {
    reason: "PORT_INVALID",
    what: `publish the port "${text}"`,
    why,
    fix: "write it like 8080:80 or 127.0.0.1:8080:80/tcp",
  });
}

/** Addresses of resolvers. Throws INVALID_ARGUMENT DNS_SERVER_INVALID. */
export function parseDnsServers(servers: readonly string[]): string[] {
  return servers.map((server) => {
    if (isIPv4(server) || isIPv6(server.split("%")[0] ?? "")) return server;
    throw new CtlError("INVALID_ARGUMENT", {
      reason: "DNS_SERVER_INVALID",
      what: `ask the resolver "${server}"`,
      why: "it is not an IP address",
      fix: "give --dns an address, like 192.0.2.53",
    });
  });
}
