import { isErrno } from "../../kit/linux/libc.ts";
import { formatAddress } from "../ipam/address.ts";
import {
  type Attributes,
  decodeAttributes,
  type NetlinkMessage,
  type NetlinkRequest,
  nestedAttribute,
} from "./message.ts";
import { type NetlinkCalls, NetlinkSocket } from "./socket.ts";

const CTNETLINK = 1 << 8;
const IPCTNL_MSG_CT_GET = CTNETLINK | 1;
const IPCTNL_MSG_CT_DELETE = CTNETLINK | 2;
const CTA = { tupleOriginal: 1, tupleReply: 2 } as const;
const TUPLE = { ip: 1, protocol: 2 } as const;
const IP = { v4Source: 1, v4Destination: 2, v6Source: 3, v6Destination: 4 } as const;
const PROTOCOL = { number: 1, sourcePort: 2, destinationPort: 3 } as const;
const IPPROTO_UDP = 17;

/** A published UDP port whose mapping has come or gone. */
export interface UdpPort {
  readonly hostPort: number;
  /** The container's address that it leads, or led, to. */
  readonly address: string;
}

export function conntrackOperations(calls: NetlinkCalls) {
  return {
    forgetUdpFlows: (ports: readonly UdpPort[]): number => {
      using socket = new NetlinkSocket(calls, "netfilter");
      return forgetUdpFlows(socket, ports);
    },
  };
}

/**
 * Forgets the UDP flows to these ports that were tracked before the mapping changed: nat rules are asked only for a flow's
 * first packet, so a client that goes on sending would never reach a new container. Flows to elsewhere are left alone.
 * Returns how many were forgotten. Cost: one pass over all tracked flows.
 */
export function forgetUdpFlows(socket: NetlinkSocket, ports: readonly UdpPort[]): number {
  const flows = socket
    .dump({ what: "list the tracked flows", type: IPCTNL_MSG_CT_GET, flags: 0, body: Buffer.alloc(4) })
    .flatMap(parseFlow)
    .filter((flow) => ports.some((port) => isStale(flow, port)));
  for (const flow of flows) forget(socket, flow);
  return flows.length;
}

interface Flow {
  readonly family: number;
  readonly originalTuple: Buffer;
  readonly original: Tuple;
  readonly reply: Tuple;
}

interface Tuple {
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly destinationPort: number;
}

/** It was sent to the port, and either was not translated at all or leads to the container that had the port. */
function isStale({ original, reply }: Flow, { hostPort, address }: UdpPort): boolean {
  if (original.protocol !== IPPROTO_UDP || original.destinationPort !== hostPort) return false;
  const isUntranslated = reply.source === original.destination && reply.destination === original.source;
  return isUntranslated || reply.source === address;
}

function forget(socket: NetlinkSocket, flow: Flow): void {
  const body = Buffer.concat([
    Buffer.from([flow.family, 0, 0, 0]),
    nestedAttribute(CTA.tupleOriginal, flow.originalTuple),
  ]);
  const request: NetlinkRequest = { what: "forget a UDP flow", type: IPCTNL_MSG_CT_DELETE, flags: 0, body };
  try {
    socket.execute([request]);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error; // it ended meanwhile
  }
}

function parseFlow(message: NetlinkMessage): Flow[] {
  const attributes = decodeAttributes(message.body.subarray(4));
  const originalTuple = attributes.get(CTA.tupleOriginal);
  const original = parseTuple(originalTuple);
  const reply = parseTuple(attributes.get(CTA.tupleReply));
  if (originalTuple === undefined || original === undefined || reply === undefined) return [];
  return [{ family: message.body.readUInt8(0), originalTuple, original, reply }];
}

function parseTuple(buffer: Buffer | undefined): Tuple | undefined {
  if (buffer === undefined) return undefined;
  const tuple = decodeAttributes(buffer);
  const ip = nested(tuple, TUPLE.ip);
  const protocol = nested(tuple, TUPLE.protocol);
  const source = ip.get(IP.v4Source) ?? ip.get(IP.v6Source);
  const destination = ip.get(IP.v4Destination) ?? ip.get(IP.v6Destination);
  if (source === undefined || destination === undefined) return undefined;
  return {
    protocol: protocol.get(PROTOCOL.number)?.readUInt8(0) ?? 0,
    source: formatAddress(source),
    destination: formatAddress(destination),
    destinationPort: protocol.get(PROTOCOL.destinationPort)?.readUInt16BE(0) ?? 0,
  };
}

function nested(attributes: Attributes, type: number): Attributes {
  return decodeAttributes(attributes.get(type) ?? Buffer.alloc(0));
}
