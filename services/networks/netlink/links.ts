import {
  attributeText,
  attributeWord,
  byteAttribute,
  bytesAttribute,
  decodeAttributes,
  type NetlinkMessage,
  type NetlinkRequest,
  nestedAttribute,
  textAttribute,
  wordAttribute,
} from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const NLM_F_CREATE_EXCL = 0x400 | 0x200;
const IFF_UP = 1;

const AF_UNSPEC = 0;
const AF_BRIDGE = 7;
const IFLA = { address: 1, name: 3, mtu: 4, master: 10, portInfo: 12, linkInfo: 18, alias: 20, netnsFd: 28 } as const;
const LINK_INFO = { kind: 1, data: 2 } as const;
const VETH_INFO_PEER = 1;
const BRIDGE_FORWARD_DELAY = 1;
const BRIDGE_STP_STATE = 5;
const BRIDGE_PORT_HAIRPIN = 4;
const BRIDGE_PORT_ISOLATED = 33;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`; empty for what has no kind (lo, a hardware interface). */
  readonly kind: string;
  /** 0: none. */
  readonly masterIndex: number;
  readonly mtu: number;
  /** `02:42:ac:11:00:02`; empty where the link has none. */
  readonly mac: string;
  readonly alias: string;
  readonly isUp: boolean;
}

/** Links are named or numbered; a number is exact where a name may have been given to another link meanwhile. */
export type LinkReference = string | number;

export interface LinkSettings {
  readonly name?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly isUp?: boolean;
  /** Index of the bridge; 0 takes the link out of its bridge. */
  readonly masterIndex?: number;
  readonly alias?: string;
  /** Open file of the network namespace that the link moves to. */
  readonly netnsFd?: number;
}

export interface NewVeth {
  readonly name: string;
  readonly mtu?: number;
  /** The bridge that this end is made a port of. */
  readonly masterIndex: number;
  readonly peer: {
    readonly name: string;
    readonly mac?: string;
    /** Open file of the network namespace in which the other end appears. */
    readonly netnsFd: number;
  };
}

/** A bridge that forwards at once (no spanning tree) and keeps its address whatever ports come and go. */
export function createBridge(name: string, mac: string, mtu?: number): NetlinkRequest {
  const data = nestedAttribute(
    LINK_INFO.data,
    wordAttribute(BRIDGE_FORWARD_DELAY, 0),
    wordAttribute(BRIDGE_STP_STATE, 0),
  );
  const info = nestedAttribute(IFLA.linkInfo, textAttribute(LINK_INFO.kind, "bridge"), data);
  const attributes = [textAttribute(IFLA.name, name), macAttribute(mac), ...mtuAttribute(mtu), info];
  return newLink(`create the bridge ${name}`, attributes, false);
}

/**
 * Both ends, each in its own namespace, this end up and a port of the bridge: one message instead of four. The other end
 * must be set up by itself: born up it would look for a peer that is not joined yet, and the kernel says ENOTCONN.
 */
export function createVeth(veth: NewVeth): NetlinkRequest {
  const peer = Buffer.concat([
    linkHeader({}),
    textAttribute(IFLA.name, veth.peer.name),
    ...(veth.peer.mac === undefined ? [] : [macAttribute(veth.peer.mac)]),
    ...mtuAttribute(veth.mtu),
    wordAttribute(IFLA.netnsFd, veth.peer.netnsFd),
  ]);
  const info = nestedAttribute(
    IFLA.linkInfo,
    textAttribute(LINK_INFO.kind, "veth"),
    nestedAttribute(LINK_INFO.data, bytesAttribute(VETH_INFO_PEER | 0x8000, peer)),
  );
  const attributes = [
    textAttribute(IFLA.name, veth.name),
    ...mtuAttribute(veth.mtu),
    wordAttribute(IFLA.master, veth.masterIndex),
    info,
  ];
  return newLink(`create the veth pair ${veth.name}`, attributes, true);
}

export function setLink(link: LinkReference, settings: LinkSettings): NetlinkRequest {
  const flags = settings.isUp === true ? IFF_UP : 0;
  const change = settings.isUp === undefined ? 0 : IFF_UP;
  const body = Buffer.concat([
    linkHeader({ index: typeof link === "number" ? link : 0, flags, change }),
    ...linkName(link, settings.name),
    ...(settings.mac === undefined ? [] : [macAttribute(settings.mac)]),
    ...mtuAttribute(settings.mtu),
    ...(settings.masterIndex === undefined ? [] : [wordAttribute(IFLA.master, settings.masterIndex)]),
    ...(settings.alias === undefined ? [] : [textAttribute(IFLA.alias, settings.alias)]),
    ...(settings.netnsFd === undefined ? [] : [wordAttribute(IFLA.netnsFd, settings.netnsFd)]),
  ]);
  return { what: `change the link ${link}`, type: RTM_SETLINK, flags: 0, body };
}

export interface PortFlags {
  /** The bridge may send a frame back through the port that it came from: a container that calls its own published port. */
  readonly isHairpin: boolean;
  /** Nothing goes between this port and other isolated ones; the bridge itself, the host, is none. */
  readonly isIsolated: boolean;
}

export function setPortFlags(index: number, { isHairpin, isIsolated }: PortFlags): NetlinkRequest {
  const body = Buffer.concat([
    linkHeader({ family: AF_BRIDGE, index }),
    nestedAttribute(
      IFLA.portInfo,
      byteAttribute(BRIDGE_PORT_HAIRPIN, isHairpin ? 1 : 0),
      byteAttribute(BRIDGE_PORT_ISOLATED, isIsolated ? 1 : 0),
    ),
  ]);
  return { what: `change the bridge port ${index}`, type: RTM_SETLINK, flags: 0, body };
}

export function deleteLink(link: LinkReference): NetlinkRequest {
  const body = Buffer.concat([linkHeader({ index: typeof link === "number" ? link : 0 }), ...linkName(link)]);
  return { what: `delete the link ${link}`, type: RTM_DELLINK, flags: 0, body };
}

/** One link; a SyscallError ENODEV when there is none. */
export function getLink(socket: NetlinkSocket, link: LinkReference): Link {
  const body = Buffer.concat([linkHeader({ index: typeof link === "number" ? link : 0 }), ...linkName(link)]);
  return parseLink(socket.query({ what: `look up the link ${link}`, type: RTM_GETLINK, flags: 0, body }));
}

export function listLinks(socket: NetlinkSocket): Link[] {
  return socket.dump({ what: "list the links", type: RTM_GETLINK, flags: 0, body: linkHeader({}) }).map(parseLink);
}

function newLink(what: string, attributes: readonly Buffer[], isUp: boolean): NetlinkRequest {
  const header = linkHeader(isUp ? { flags: IFF_UP, change: IFF_UP } : {});
  return { what, type: RTM_NEWLINK, flags: NLM_F_CREATE_EXCL, body: Buffer.concat([header, ...attributes]) };
}

interface LinkHeader {
  readonly family?: number;
  readonly index?: number;
  readonly flags?: number;
  readonly change?: number;
}

/** struct ifinfomsg */
function linkHeader({ family = AF_UNSPEC, index = 0, flags = 0, change = 0 }: LinkHeader): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt8(family, 0);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

/** A name finds the link when there is no index; beside an index it is the link's new name. */
function linkName(link: LinkReference, newName?: string): Buffer[] {
  if (typeof link === "string") return [textAttribute(IFLA.name, link)];
  return newName === undefined ? [] : [textAttribute(IFLA.name, newName)];
}

function macAttribute(mac: string): Buffer {
  return bytesAttribute(IFLA.address, Buffer.from(mac.replaceAll(":", ""), "hex"));
}

function mtuAttribute(mtu: number | undefined): Buffer[] {
  return mtu === undefined ? [] : [wordAttribute(IFLA.mtu, mtu)];
}

function parseLink(message: NetlinkMessage): Link {
  const attributes = decodeAttributes(message.body.subarray(16));
  const info = decodeAttributes(attributes.get(IFLA.linkInfo) ?? Buffer.alloc(0));
  return {
    index: message.body.readInt32LE(4),
    name: attributeText(attributes.get(IFLA.name)),
    kind: attributeText(info.get(LINK_INFO.kind)),
    masterIndex: attributeWord(attributes.get(IFLA.master)) ?? 0,
    mtu: attributeWord(attributes.get(IFLA.mtu)) ?? 0,
    mac:
      attributes
        .get(IFLA.address)
        ?.toString("hex")
        .replace(/..(?=.)/g, "$&:") ?? "",
    alias: attributeText(attributes.get(IFLA.alias)),
    isUp: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
  };
}
