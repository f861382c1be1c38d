import { formatAddress, parseAddress } from "../ipam/address.ts";
import { formatSubnet, parseSubnet, type Subnet } from "../ipam/subnet.ts";
import { AF_INET, AF_INET6 } from "./addresses.ts";
import { attributeWord, bytesAttribute, decodeAttributes, type NetlinkRequest, wordAttribute } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
/** What is there already stays, or is made so: configuring an interface again changes nothing. */
const NLM_F_CREATE_REPLACE = 0x400 | 0x100;
const RTA = { destination: 1, linkIndex: 4, gateway: 5, source: 7, table: 15 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RTN_UNICAST = 1;

export interface Route {
  /** `0.0.0.0/0` is a default route. */
  readonly destination: Subnet;
  /** 0 where the route names no link (several next hops, blackhole). */
  readonly linkIndex: number;
  readonly gateway: string | undefined;
}

export interface NewRoute {
  /** CIDR; left out: the default route of the gateway's family. */
  readonly destination?: string;
  readonly gateway: string;
  readonly linkIndex: number;
}

export function addRoute(route: NewRoute): NetlinkRequest {
  return routeRequest("add", RTM_NEWROUTE, NLM_F_CREATE_REPLACE, route);
}

export function deleteRoute(route: NewRoute): NetlinkRequest {
  return routeRequest("remove", RTM_DELROUTE, 0, route);
}

/** The main table's routes of one family. */
export function listRoutes(socket: NetlinkSocket, family: 4 | 6): Route[] {
  const body = Buffer.alloc(12);
  body.writeUInt8(family === 4 ? AF_INET : AF_INET6, 0);
  return socket.dump({ what: "list the routes", type: RTM_GETROUTE, flags: 0, body }).flatMap((message) => {
    const attributes = decodeAttributes(message.body.subarray(12));
    if ((attributeWord(attributes.get(RTA.table)) ?? message.body.readUInt8(4)) !== RT_TABLE_MAIN) return [];
    const destination = attributes.get(RTA.destination) ?? Buffer.alloc(family === 4 ? 4 : 16);
    const gateway = attributes.get(RTA.gateway);
    return [
      {
        destination: parseSubnet(`${formatAddress(destination)}/${message.body.readUInt8(1)}`),
        linkIndex: attributeWord(attributes.get(RTA.linkIndex)) ?? 0,
        gateway: gateway === undefined ? undefined : formatAddress(gateway),
      },
    ];
  });
}

/** RTN_* of linux/rtnetlink.h that say where a packet goes. */
const RTN_LOCAL = 2;

export interface Lookup {
  /** Local: to this namespace itself. */
  readonly kind: "local" | "onward" | "refused";
  readonly linkIndex: number;
  /** Undefined: the destination is on the link. */
  readonly gateway: string | undefined;
  /** Whom the packet comes from; undefined where the kernel does not say. */
  readonly source: string | undefined;
}

/** Where the kernel would send a packet to this address: all tables and rules, as `ip route get`. Throws SyscallError. */
export function lookUpRoute(socket: NetlinkSocket, address: string): Lookup {
  const { family, bytes } = parseAddress(address);
  const header = Buffer.alloc(12);
  header.writeUInt8(family === 4 ? AF_INET : AF_INET6, 0);
  header.writeUInt8(bytes.length * 8, 1);
  const body = Buffer.concat([header, bytesAttribute(RTA.destination, bytes)]);
  const answer = socket.query({ what: `find the route to ${address}`, type: RTM_GETROUTE, flags: 0, body });
  const attributes = decodeAttributes(answer.body.subarray(12));
  const text = (attribute: number) => {
    const value = attributes.get(attribute);
    return value === undefined ? undefined : formatAddress(value);
  };
  const type = answer.body.readUInt8(7);
  return {
    kind: type === RTN_LOCAL ? "local" : type === RTN_UNICAST ? "onward" : "refused",
    linkIndex: attributeWord(attributes.get(RTA.linkIndex)) ?? 0,
    gateway: text(RTA.gateway),
    source: text(RTA.source),
  };
}

function routeRequest(verb: string, type: number, flags: number, route: NewRoute): NetlinkRequest {
  const gateway = parseAddress(route.gateway);
  const destination = route.destination === undefined ? undefined : parseSubnet(route.destination);
  const header = Buffer.alloc(12);
  header.writeUInt8(gateway.family === 4 ? AF_INET : AF_INET6, 0);
  header.writeUInt8(destination?.prefix ?? 0, 1);
  header.writeUInt8(RT_TABLE_MAIN, 4);
  header.writeUInt8(RTPROT_STATIC, 5);
  header.writeUInt8(RT_SCOPE_UNIVERSE, 6);
  header.writeUInt8(RTN_UNICAST, 7);
  const body = Buffer.concat([
    header,
    ...(destination === undefined ? [] : [bytesAttribute(RTA.destination, destination.bytes)]),
    bytesAttribute(RTA.gateway, gateway.bytes),
    wordAttribute(RTA.linkIndex, route.linkIndex),
  ]);
  const where = destination === undefined ? "the default route" : `the route to ${formatSubnet(destination)}`;
  return { what: `${verb} ${where} through ${route.gateway}`, type, flags, body };
}
