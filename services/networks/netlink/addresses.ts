import { formatAddress, parseAddress } from "../ipam/address.ts";
import { bytesAttribute, decodeAttributes, type NetlinkRequest, wordAttribute } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
/** What is there already stays, or is made so: configuring an interface again changes nothing. */
const NLM_F_CREATE_REPLACE = 0x400 | 0x100;
const IFA = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
/** IPv6 waits a second for a duplicate that cannot exist: we give out the addresses. */
const IFA_F_NODAD = 0x02;
export const AF_INET = 2;
export const AF_INET6 = 10;

export interface LinkAddress {
  readonly linkIndex: number;
  readonly address: string;
  readonly prefix: number;
}

/** Gives a link an address; it may have it already. */
export function addAddress({ linkIndex, address, prefix }: LinkAddress): NetlinkRequest {
  const { family, bytes } = parseAddress(address);
  const attributes = [bytesAttribute(IFA.local, bytes), bytesAttribute(IFA.address, bytes)];
  if (family === 4 && prefix < 31) attributes.push(bytesAttribute(IFA.broadcast, lastOf(bytes, prefix)));
  if (family === 6) attributes.push(wordAttribute(IFA.flags, IFA_F_NODAD));
  const body = Buffer.concat([addressHeader(family, prefix, linkIndex), ...attributes]);
  return { what: `add the address ${address}/${prefix}`, type: RTM_NEWADDR, flags: NLM_F_CREATE_REPLACE, body };
}

export function deleteAddress({ linkIndex, address, prefix }: LinkAddress): NetlinkRequest {
  const { family, bytes } = parseAddress(address);
  const body = Buffer.concat([addressHeader(family, prefix, linkIndex), bytesAttribute(IFA.local, bytes)]);
  return { what: `remove the address ${address}/${prefix}`, type: RTM_DELADDR, flags: 0, body };
}

export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  const body = Buffer.alloc(8);
  return socket.dump({ what: "list the addresses", type: RTM_GETADDR, flags: 0, body }).flatMap((message) => {
    const attributes = decodeAttributes(message.body.subarray(8));
    // on a point-to-point link IFA_ADDRESS is the other side's
    const bytes = attributes.get(IFA.local) ?? attributes.get(IFA.address);
    if (bytes === undefined) return [];
    return [
      { linkIndex: message.body.readUInt32LE(4), address: formatAddress(bytes), prefix: message.body.readUInt8(1) },
    ];
  });
}

/** struct ifaddrmsg */
function addressHeader(family: 4 | 6, prefix: number, linkIndex: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(family === 4 ? AF_INET : AF_INET6, 0);
  header.writeUInt8(prefix, 1);
  header.writeUInt32LE(linkIndex, 4);
  return header;
}

function lastOf(bytes: Uint8Array, prefix: number): Buffer {
  const last = Buffer.from(bytes);
  last.writeUInt32BE((last.readUInt32BE(0) | (0xffffffff >>> prefix)) >>> 0, 0);
  return last;
}
