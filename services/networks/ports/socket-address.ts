import { AF_INET, AF_INET6 } from "../netlink/addresses.ts";

/** struct sockaddr_in, sockaddr_in6 */
export function socketAddress(family: 4 | 6, bytes: Buffer, port: number): Buffer {
  const address = Buffer.alloc(family === 4 ? 16 : 28);
  address.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, 0);
  address.writeUInt16BE(port, 2);
  bytes.copy(address, family === 4 ? 4 : 8);
  return address;
}
